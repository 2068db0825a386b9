"""Two very small language models for the 77 intents of Banking77, trained from scratch. See README.md."""
