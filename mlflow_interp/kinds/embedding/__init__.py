"""Embeddings of activations: their layout, alignment with earlier ones, quality, figure and page."""
