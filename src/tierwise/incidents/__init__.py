"""INCIDENTS: which promise was broken, by whom it is to be told, and how it ends."""
