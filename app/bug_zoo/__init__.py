"""The bug zoo's page: patients to examine, bugs in the open, and what a learner has found."""
