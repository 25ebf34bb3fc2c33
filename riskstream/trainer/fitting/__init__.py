"""The network in training: batches, losses, the loop, legs, and what is left of a base."""
