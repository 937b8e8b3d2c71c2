"""Chaos on real servers: a whole production system under load while its parts are killed, paused, cut and starved."""
