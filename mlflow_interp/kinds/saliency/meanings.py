"""What the metrics of saliency mean, for the page of a run."""

MEANINGS = {
    "completeness_gap": "how far the sum of integrated gradients is from what it must equal, mean of inputs; "
    "0 is exact, more path_steps reduce it",
}
