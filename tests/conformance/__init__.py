"""The documents' examples, run against the real system."""
