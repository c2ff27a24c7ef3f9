"""All TensorFlow computation except image optimisation: layers, passes, scores, gradients."""
