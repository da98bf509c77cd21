"""A bundle without training, for the first minute after installation."""
