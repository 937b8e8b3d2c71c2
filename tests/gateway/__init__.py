"""The gateway over the embedded stores: in memory through ASGI, and on a socket where bytes and time matter."""
