"""People and the coder work together: batches of texts, decisions, and the order of reading."""
