"""Home: what the lab is, and the way into every chapter."""

from app.home import show

show()
