"""The command ``naics-embed``."""
