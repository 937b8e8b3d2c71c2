"""Econometric rules: what a price does to demand, which generosity pays, where a threshold belongs."""
