"""The demo shop: a retailer of its own beside the system, which it knows by the public contracts alone."""
