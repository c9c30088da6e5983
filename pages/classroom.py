"""A class: one teacher, many learners, polls, challenges."""

from app.classroom.screen import show

show()
