"""Terms of the training objective, one a file."""
