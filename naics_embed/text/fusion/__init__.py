"""Fusion of the embeddings of a code's channels into one; absent channels take no part."""
