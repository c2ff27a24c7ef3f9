"""What the metrics of training dynamics mean, for the page of a run."""

MEANINGS = {
    "label_probability": "mean probability of the label after this epoch",
    "loss": "mean cross-entropy after this epoch",
    "forgotten": "number of inputs that were right in one epoch and wrong in a later one",
    "never_right": "number of inputs that were wrong in every epoch",
    "lowest_class_accuracy": "accuracy of the class with the lowest one",
}
