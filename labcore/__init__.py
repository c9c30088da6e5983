"""The mathematics of the lab: every number on screen comes from here.

Nothing in this package knows of the screen: it imports neither streamlit nor plotly, nor `app`, nor
`pages` (`tests/test_architecture.py` holds it to that).
"""
