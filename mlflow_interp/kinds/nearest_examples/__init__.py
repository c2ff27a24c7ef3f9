"""The nearest examples of inputs in a layer: searched, judged by their labels, drawn."""
