"""Pieces of page that Streamlit does not offer, written with its components v2."""
