"""The edge to the model: tokens in, probabilities out. Tensors stop here."""
