"""Uplift: what a campaign changed, by comparing treated shoppers with those held out."""
