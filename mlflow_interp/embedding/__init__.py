"""Laying activations out in the plane: the layout itself, how it is aligned, how far it can be trusted."""
