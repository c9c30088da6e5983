"""Labs of the side road: the mathematics."""
