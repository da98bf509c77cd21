"""``python -m naics_embed``: the command line."""

from naics_embed.cli.main import main

main()
