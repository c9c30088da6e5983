"""Pictures and their captions: chapter 5's first lab."""
