"""Inputs for a model: sources, images, labels, class names, preprocessing."""
