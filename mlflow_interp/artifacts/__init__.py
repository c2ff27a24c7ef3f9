"""Everything that is written to MLflow, and to folders that users name.

All calls name their run, through `MlflowClient`: no global active run is started, ended or relied upon.
"""
