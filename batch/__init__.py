"""The cold half: what happens to events once the live path is done with them."""
