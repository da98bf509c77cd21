"""Encoding of texts by a transformer, without training."""
