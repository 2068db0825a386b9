"""How is it written? One module per wire format, both directions, without I/O."""
