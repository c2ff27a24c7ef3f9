"""Everything that is computed by TensorFlow, except image optimisation: layers, passes, scores, gradients."""
