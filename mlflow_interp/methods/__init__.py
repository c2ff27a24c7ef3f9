"""One file, one method: `<name>.py` defines `<name>(model, batch, *, options…)`, which returns the method.

The return value is a `Streaming`, `Predicting` or `Explaining` of `mlflow_interp.engine.method`, parametrised
with its result class; `attribution` makes one from a function of a feature map and a score. The folder is the
registry. Each file here gives `visualize_<name>`, the command `mlflow-interp <name>`, the entry point of
`mlflow run`, the artifact folder and the page in the docs. The function's signature and docstring are the
only declaration of its options, their defaults and their help.
"""
