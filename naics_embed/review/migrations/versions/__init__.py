"""Revisions of the store's schema, the first one first."""
