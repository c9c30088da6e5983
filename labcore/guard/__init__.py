"""Guards around a language model: what they see, what passes them, and what they cost."""
