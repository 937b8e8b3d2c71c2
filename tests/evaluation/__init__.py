"""Evaluations on real data: each file gives a section of docs/evaluation.md."""
