"""Runs a model over inputs for the methods, and knows which method can use which model."""
