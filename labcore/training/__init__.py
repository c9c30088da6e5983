"""Training: the schedule, the optimiser, what is asked, the loop, and what is kept of a run."""
