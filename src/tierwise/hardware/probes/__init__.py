"""WHAT IS IN THIS MACHINE: one module for each maker of parts, reading what the system and the makers' tools say."""
