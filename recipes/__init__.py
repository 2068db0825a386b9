"""Recipes: how the artefacts that Tierwise ships were made. Nothing in the product imports this."""
