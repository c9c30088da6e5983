"""The labs of chapter 2: what a model is trained on, what it is asked, and what that costs."""
