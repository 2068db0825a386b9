"""One program for each Python client and wire; they run in the clients' own environments, never in the tests'."""
