"""The documentation's own tools: generated tables and pictures."""
