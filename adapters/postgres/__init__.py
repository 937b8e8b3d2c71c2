"""The production control plane over Postgres: retailers, visible generations of trees, requested replays."""
