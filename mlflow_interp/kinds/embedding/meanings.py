"""What the metrics of embeddings mean, for the page of a run."""

MEANINGS = {
    "trustworthiness": "how many neighbours in the plot are neighbours in the layer too, from 0 to 1; "
    "below about 0.8 the plot misleads",
    "knn_agreement": "share of the ten nearest neighbours in the layer with the same label, mean of inputs; "
    "compare it between layers, epochs and models with the same pooling",
    "silhouette": "whether distances in the layer are smaller within classes than between them, from −1 to 1",
}
