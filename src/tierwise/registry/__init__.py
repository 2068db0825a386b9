"""WHAT EXISTS: endpoints, models, prices, and the demonstration models that ship with the package."""
