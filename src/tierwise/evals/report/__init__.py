"""How does a comparison look? One HTML file from evidence and card, without script and without any request."""
