"""Training on Lightning; the only package that imports it."""
