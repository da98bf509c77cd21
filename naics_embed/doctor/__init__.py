"""Is this machine fit to run the project? Findings, each with what is wrong and how to fix it."""
