"""Runs a model over inputs for the methods, and decides which method can use which model."""
