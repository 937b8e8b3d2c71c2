"""One suite for every port: what its docstring promises, kept by every adapter."""
