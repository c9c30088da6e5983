"""The bug zoo: documented bugs to be found by tests."""

from app.bug_zoo.page import show

show()
