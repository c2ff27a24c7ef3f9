"""What the metrics of confusion matrices mean, for the page of a run."""

MEANINGS = {
    "positions": "number of pixels, tokens or steps that are counted",
    "balanced_accuracy": "mean recall of the classes: rare ones count as much as frequent ones",
    "macro_f1": "mean F1 of the classes",
    "micro_f1": "F1 of all labels counted together",
    "kappa": "agreement of labels and predictions beyond chance (Cohen); 0 is chance, 1 is perfect",
    "hamming_loss": "share of wrong labels",
    "confused_pair": "number of inputs of this pair of classes, the most confused first",
}
