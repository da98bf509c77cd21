"""Checks of the data: codes, cross-references, labelled texts and their sources."""
