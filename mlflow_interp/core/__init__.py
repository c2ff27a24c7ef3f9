"""What passes between the rooms: inputs, predictions, results. NumPy, and Pillow to resample."""
