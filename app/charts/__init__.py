"""Result → `Figure`.  No streamlit and no arithmetic beyond scaling; words come in as `text`."""
