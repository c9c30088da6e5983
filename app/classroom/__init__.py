"""A class: one teacher, many learners, a scene, polls and open challenges; nobody has a name here."""
