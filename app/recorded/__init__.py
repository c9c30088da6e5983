"""What is recorded, chapter by chapter: each lab's default result and its studies."""
