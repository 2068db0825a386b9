"""LINEAR MODELS: answers that need no language model. Words and parts of words, weighed for each label."""
