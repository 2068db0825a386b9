"""What runs in the environment of a real server: models made on the spot, whose every answer is known."""
