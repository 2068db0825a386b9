"""What runs in a model server's own environment: a model made on the spot, whose every answer is known."""
