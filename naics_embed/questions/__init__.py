"""Questions that separate codes which share the probability of a text, and their answers."""
