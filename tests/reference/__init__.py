"""Independent reference models: naive, written from the documentation only, sharing no code with what they check."""
