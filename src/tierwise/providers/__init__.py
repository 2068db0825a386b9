"""SPEAKING TO MODELS: one outbound HTTP path, the embedded engine, and what listens on this machine."""
