"""POSTGRES: addresses, connections and migrations. Knows servers and versions, not what is in the tables."""
