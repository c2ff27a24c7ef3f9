"""Feature visualisation in Lucid's parts: param, transform, objectives, optimize, render."""
