"""The retrieval lab: finding passages, answering from them, and an agent that looks things up."""
