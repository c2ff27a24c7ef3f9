"""Runs a model over inputs for the methods, and determines which method can be used with which model."""
