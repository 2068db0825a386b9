"""Where may a model be pulled from? One module for each source, named as in `SOURCE:MODEL`; each makes an `Offer`."""
