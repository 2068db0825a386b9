"""Real clients, driven against the installed gateway: `scripts/clients`. Slow, with environments of its own; no test."""
