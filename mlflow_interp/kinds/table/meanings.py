"""What the metrics of a table mean, for the page of a run."""

MEANINGS = {
    "rows": "number of inputs, with those that could not be interpreted",
    "errors": "number of inputs that could not be interpreted",
    "labelled": "number of inputs with a label",
    "calibration_error": "expected calibration error: how far probabilities are from the share of correct "
    "predictions, mean over 20 bins; 0 if they agree",
    "mean_probability": "mean probability of the predicted class",
}
