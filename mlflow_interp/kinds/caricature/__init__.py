"""Caricatures: images whose activations at a layer are similar to those of the input, and exaggerated."""
