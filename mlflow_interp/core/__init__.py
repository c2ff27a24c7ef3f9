"""Types that the packages share: inputs, predictions, results. NumPy, and Pillow to resample; no file is read."""
