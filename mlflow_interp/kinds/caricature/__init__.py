"""Caricatures: images that a layer answers to as it does to the input."""
