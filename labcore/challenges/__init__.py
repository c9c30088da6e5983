"""Open challenges of a class: what counts is measured here, never told by whoever enters."""
