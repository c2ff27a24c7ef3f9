"""The command line."""

from mlflow_interp.cli.commands import main

__all__ = ["main"]
