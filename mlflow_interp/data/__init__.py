"""From what a user names to inputs that fit a model: sources, images, labels, class names, preprocessing."""
