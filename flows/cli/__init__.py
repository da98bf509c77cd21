"""Commands that run flows and look at runs."""
