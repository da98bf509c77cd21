"""Metrics of a run: retrieval, tree, held-out structure, each beside its reference."""
