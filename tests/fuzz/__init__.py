"""Fuzzing of the code that reads files: `make fuzz`."""
