"""What stands beside the labs: glossary, data sets, tools, papers, guides, questions and answers."""
