"""Models among pictures, documents, tools and people who mean no good."""
