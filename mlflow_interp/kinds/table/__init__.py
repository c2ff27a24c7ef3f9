"""All inputs of a table: how many, how well they are predicted, and where heatmaps lie on average."""
