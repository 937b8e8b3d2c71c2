"""Tests, one folder a kind: what each kind proves stands in the README."""
