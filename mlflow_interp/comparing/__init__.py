"""Compare two versions: run both on the same inputs or take what is logged, decide, log the result."""
