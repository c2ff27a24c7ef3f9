"""The data that packages exchange: inputs, predictions, results. NumPy, and Pillow to resample."""
