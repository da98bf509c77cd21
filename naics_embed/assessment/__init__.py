"""How good a coder is on a user's texts, and which of their codes look wrong."""
