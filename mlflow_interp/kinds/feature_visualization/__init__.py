"""Feature visualisations: images optimised for features of a layer, beside the inputs that excite them."""
