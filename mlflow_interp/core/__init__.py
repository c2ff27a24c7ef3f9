"""What passes between the rooms: inputs, predictions, results. NumPy only; no file is read or written."""
