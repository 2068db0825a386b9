"""WHO MAY: labels, detectors and rules. Pure; an answer here is data with its reason, never an exception."""
