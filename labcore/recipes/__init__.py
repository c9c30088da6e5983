"""Recipes: `python -m labcore.recipes.<name>` makes a bundled asset again, from nothing but code."""
