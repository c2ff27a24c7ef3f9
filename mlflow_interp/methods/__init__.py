"""One file, one method: `<name>.py` defines `<name>(model, batch, *, options…) -> Result`.

The folder is the registry. From a file here come `visualize_<name>`, the command `mlflow-interp <name>`,
the entry point of `mlflow run`, the artifact folder and the page in the docs; the function's signature
and docstring declare its options, their defaults and their help, and nothing else does.
"""
