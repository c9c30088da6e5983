"""Scaling laws: the loss that a model of a given size reaches on a given amount of text."""
