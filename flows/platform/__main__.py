"""``python -m flows.platform``."""

from flows.platform.commands import main

main()
