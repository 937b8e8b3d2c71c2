"""The control plane on real Postgres servers."""
