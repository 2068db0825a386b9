"""The detectors measured: a labelled corpus of our own, coding sessions, and the page that is written from both."""
