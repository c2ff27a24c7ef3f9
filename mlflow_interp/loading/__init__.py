"""From what a user names to what a method takes: models, inputs, class names."""
