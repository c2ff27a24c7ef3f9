"""Heatmaps over images, such as those of Grad-CAM."""
