"""SQLITE: connections and migrations. Knows files and versions, not what is in the tables."""
