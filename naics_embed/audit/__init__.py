"""Checks of the data: codes, cross references, labelled texts and what they are derived from."""
