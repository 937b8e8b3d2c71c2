"""Adapters: one folder a technology, each file named after the port that it implements."""
