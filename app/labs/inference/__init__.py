"""Labs of chapter 4."""
