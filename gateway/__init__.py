"""The ASGI application: collects events, delivers experiences."""
