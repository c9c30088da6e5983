"""The bug zoo: documented bugs of real projects, each put into the lab's own code, and tests that tell them.

`case` says what a bug, a test and a ward are; each ward is a module; `zoo` is the list of all of them.
"""
