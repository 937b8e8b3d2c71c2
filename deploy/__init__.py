"""Command line, standalone process and demo shop: the only place that reads the environment."""
