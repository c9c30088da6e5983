"""The reference: glossary, data sets, tools, papers, guides, questions and answers."""

from app.reference.page import show

show()
