"""WHAT HAPPENED: one durable record for every call, written by one writer, read by anyone."""
