"""How far heatmaps can be trusted: measures of each method, and a verdict."""
