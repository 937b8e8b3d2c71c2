"""Journeys through a session: what comes next, and the tree that meets the shopper there."""
