"""Types that the packages share: inputs, predictions, results. NumPy only; no file is read or written."""
