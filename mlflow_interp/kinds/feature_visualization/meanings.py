"""What the metrics of feature visualisations mean, for the page of a run."""

MEANINGS = {
    "features": "number of features that images are optimised for",
    "ratio": "how strongly an image excites its feature, over the strongest input; median over features",
    "stronger": "share of features that an image excites at least as strongly as any input",
    "similarity": "how alike the images of one feature are, from 0 to 1",
    "steps_taken": "number of optimisation steps, mean over images",
}
