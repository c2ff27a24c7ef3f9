"""Heatmaps over images: Grad-CAM and its kin."""
