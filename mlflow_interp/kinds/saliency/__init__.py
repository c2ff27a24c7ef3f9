"""Maps of an input's own shape: gradients, SmoothGrad, integrated gradients."""
