"""Learning from labelled texts: a bundle that knows what its users have coded."""
