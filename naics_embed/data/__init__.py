"""Data that ships with the package, and its readers."""
