"""Bundles: what is exported, loaded, checked and promoted."""
