"""Image optimisation in three parts that compose: how an image is written down, seen, and made to climb."""
