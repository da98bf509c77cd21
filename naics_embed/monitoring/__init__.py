"""Whether the texts that come in, and the answers to them, change over time."""
