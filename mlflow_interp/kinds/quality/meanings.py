"""What the metrics of quality mean, for the page of a run."""

MEANINGS = {
    "faithfulness": "how much better the marked positions are than random ones: probability while they are "
    "inserted minus while they are deleted, median over inputs; above 0 if they matter",
    "faithfulness_over_centre": "the same compared with positions from the middle outwards",
    "faithfulness_over_edges": "the same compared with the edges in the image",
    "faithfulness_over_image": "the same compared with the brightest positions",
    "correlation": "rank correlation between the heat of sets of positions and the fall of the score "
    "without them; 1 if sets with more heat always count more",
    "stability": "how far a map moves under small noise, relative to its size; small is stable",
    "distance_to_others": "how far the maps of different inputs are apart, relative to their size",
    "randomised_head": "rank correlation with the map after the weights of the last layer are permuted",
    "randomised_all": "rank correlation with the map after all weights are permuted; near 1, the map shows "
    "the input and not the model",
    "class_specific": "rank correlation with the map of the runner-up; near 1, the map does not tell why "
    "this class",
    "sparseness": "Gini coefficient of the map: 0 uniform, near 1 a single spot",
    "seconds": "time that the heatmap of an input takes",
    "passed": "how many of the three checks are passed: faithful, of this model, stable",
}
