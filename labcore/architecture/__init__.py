"""Chapter 1: the Transformer's architecture, what its attention looks at, and how it learns."""
