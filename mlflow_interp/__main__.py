"""`python -m mlflow_interp`: the command line."""

from mlflow_interp.cli import main

main()
