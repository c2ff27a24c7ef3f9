"""Heatmaps over images, such as those of Grad-CAM."""

HAS_HEATMAPS = True
