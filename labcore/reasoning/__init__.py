"""Reasoning: answers worked out in steps, chosen among many, or searched for."""
