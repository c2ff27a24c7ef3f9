"""Measures of how far a heatmap can be trusted: plain NumPy, independent of any model."""
