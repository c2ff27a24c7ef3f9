"""Two model versions compared: paired numbers with intervals, and rules that decide. NumPy and SciPy only."""
