"""What the metrics of comparisons mean, for the page of a run."""

MEANINGS = {
    "accuracy_drop": "accuracy of the old version minus that of the new one",
    "negative_flips": "share of labelled inputs that were right before and are wrong now",
    "positive_flips": "share of labelled inputs that were wrong before and are right now",
    "relative_negative_flips": "negative flips relative to those of independent errors; 1 if independent",
    "churn": "share of inputs whose predicted class differs",
    "probability_shift": "mean change of the probability of the explained class, without its sign",
    "loss_change": "mean cross-entropy of the new version minus that of the old one",
    "calibration_error_change": "expected calibration error of the new version minus that of the old one",
    "failed_rules": "number of rules of the gate that failed",
    "correlation": "rank correlation of both versions' heatmaps, median over inputs that both get right",
    "overlap": "share of the strongest fifth of cells that both heatmaps have, median",
    "moved": "share of the heat that is elsewhere, median",
    "kept": "agreement of heatmaps: 1 as of the old version with itself, 0 as with permuted weights",
    "cka": "debiased linear CKA of the last layer before the head: 1 if both are alike; not judged",
    "neighbour_overlap": "share of the ten nearest neighbours in that layer that both have; not judged",
    "faithfulness_drop": "median fall of the faithfulness of heatmaps",
}
