"""Embeddings: activations laid out in the plane, aligned with earlier ones, judged, drawn."""
