"""Training on many devices: what it needs, what it costs, and how the work is laid out in time."""
