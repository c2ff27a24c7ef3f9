"""What the metrics of heatmaps mean, for the page of a run."""

MEANINGS = {
    "focus": "smallest share of the map that contains half of the heat, mean over inputs; small for a spot",
    "empty_heatmaps": "number of heatmaps that show no heat at all",
    "relative_error": "standard error of the heat, relative to the strongest of its input, mean over inputs",
}
