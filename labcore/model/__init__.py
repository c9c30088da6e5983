"""One readable Transformer: decoder, encoder or both, with every choice that the lab can turn."""
