"""What the domain needs from the outside, as protocols; every port has an embedded and a production adapter."""
