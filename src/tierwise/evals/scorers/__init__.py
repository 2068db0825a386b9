"""Is this answer right? One function for each way to say so."""
