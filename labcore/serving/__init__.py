"""A trained model at work: what a token costs in time, memory and traffic, and how to pay less."""
