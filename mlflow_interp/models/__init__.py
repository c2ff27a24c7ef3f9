"""From a URI, a path or an object to a Keras model, and where it came from."""
