"""How inputs are learnt over the epochs of a training: followed, listed, drawn."""
