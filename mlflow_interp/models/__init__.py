"""Load a Keras model, with its origin, from a URI, a path or an object."""
