"""How the lab looks and is wired. Streamlit lives here, and only here and in `pages/`."""
