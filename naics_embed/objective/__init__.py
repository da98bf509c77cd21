"""The training objective: each term with its settings, what it needs and its value, one a file."""
