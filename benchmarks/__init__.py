"""What is measured about the lab itself, side by side or under load; nothing here is a timed test."""
