"""Inputs of a model: sources, images, labels, class names, preprocessing."""
