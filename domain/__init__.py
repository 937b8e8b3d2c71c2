"""Values, rules and ports of hotbasket: pure, without I/O, clock, randomness or logging."""
