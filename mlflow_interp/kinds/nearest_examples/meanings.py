"""What the metrics of nearest examples mean, for the page of a run."""

MEANINGS = {
    "reference": "number of inputs that neighbours are searched in",
    "agreement": "share of neighbours with the label of the input, mean over inputs",
    "neighbour_accuracy": "share of inputs whose label is the most frequent one of their neighbours",
    "disagreeing": "number of inputs of which less than half of the neighbours have their label",
    "similarity": "cosine similarity of the nearest neighbour, mean over inputs",
}
