"""Fine-tuning and alignment: instructions, adapters, rewards, reinforcement, preferences, safety."""
