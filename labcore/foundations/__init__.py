"""The mathematics that the chapters ask for: matrices, probability, gradients, information."""
