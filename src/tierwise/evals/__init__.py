"""IS IT PROVEN?: labelled data, confidence, thresholds, and what a cascade is worth."""
