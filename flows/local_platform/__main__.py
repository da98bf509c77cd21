"""``python -m flows.local_platform``."""

from flows.local_platform.commands import main

main()
