"""Reliability diagrams, a kind of result."""
