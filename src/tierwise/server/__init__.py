"""HTTP: the wires that callers speak, in front of the gateway."""
