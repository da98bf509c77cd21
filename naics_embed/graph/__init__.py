"""Refinement of a table of codes over the graph of the taxonomy."""
