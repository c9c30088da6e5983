"""Labs of chapter 5."""
