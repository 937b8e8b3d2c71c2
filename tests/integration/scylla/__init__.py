"""The hot store on real nodes: what the contract suites don't see."""
