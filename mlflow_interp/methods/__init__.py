"""One file, one method: `<name>.py` defines `<name>(model, batch, *, options…) -> Result`.

The folder is the registry. Each file here gives `visualize_<name>`, the command `mlflow-interp <name>`, the
entry point of `mlflow run`, the artifact folder and the page in the docs; the function's signature and
docstring are the only declaration of its options, their defaults and their help.
"""
