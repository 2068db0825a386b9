"""GOOD ENOUGH?: checks of an answer that need no model."""
