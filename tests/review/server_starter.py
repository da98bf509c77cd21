"""A process that has loaded the review, and forks a server for each line that it reads.

A test that kills the service again and again does not wait for imports. Each server is a process of
its own, with its own connections to the database, as one that was started by the command.
"""

import logging
import os
import signal
import sys
from dataclasses import replace

from naics_embed.config.review import ReviewConfig
from naics_embed.config.service import ServiceConfig
from naics_embed.review.serving import run_review
from naics_embed.review.store import Store


def main() -> None:
    """Read ``ADDRESS PORT`` lines; answer each with the number of the process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        address, port = line.split()
        child = os.fork()
        if child == 0:
            os.close(0)
            os.close(1)
            logging.basicConfig(level=logging.WARNING)
            run_review(
                Store.open(address), replace(ReviewConfig(), port=int(port)), ServiceConfig(), None
            )
            os._exit(0)
        print(child, flush=True)  # noqa: T201


main()
