"""Everything that is written to MLflow, and only that."""
