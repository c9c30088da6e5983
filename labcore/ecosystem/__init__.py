"""Open models as data: what is published of them, under which licence, and where they fit."""
