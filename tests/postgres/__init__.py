"""A PostgreSQL server of the tests' own, on loopback, from the binaries that the system has."""
