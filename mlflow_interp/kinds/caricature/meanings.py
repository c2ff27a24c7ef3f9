"""What the metrics of caricatures mean, for the page of a run."""

MEANINGS = {
    "cosine": "how similar the activations of a caricature and its input are, from −1 to 1",
    "baseline_cosine": "the same for a caricature and other inputs; it should be clearly lower",
    "objective": "what the optimisation maximises: 1 is as strong as the input itself",
    "steps_taken": "number of optimisation steps, mean over inputs",
}
