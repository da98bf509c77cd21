"""How many connections the process may hold, from the number of files that it may open."""

import logging
import resource

from naics_embed.errors import UserError

log = logging.getLogger(__name__)

RESERVE = 96
"""Files besides connections. A service that is ready has a dozen open; loading opens files of the
bundle, and some connections are accepted before those they replace are closed."""
LEAST = 16


def connection_limit(requested: int) -> int:
    """Return how many connections are possible, and raise the soft limit of open files for them.

    Args:
        requested: most connections.

    Raises:
        UserError: the process may open so few files that hardly a connection is left.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    needed = requested + RESERVE
    if soft != unlimited and soft < needed:
        # No further than needed: with a limit of a million some programs are slow to start others.
        raised = needed if hard == unlimited else min(needed, hard)
        if raised > soft:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
                soft = raised
            except (OSError, ValueError) as error:
                log.warning('the limit of open files stays at %d: %s', soft, error)
    limit = requested if soft == unlimited else min(requested, soft - RESERVE)
    if limit < min(requested, LEAST):
        raise UserError(
            f'the process may open only {soft} files, of which {RESERVE} are kept for other than '
            f'connections; raise it: ulimit -n {needed}'
        )
    if limit < requested:
        log.warning(
            'at most %d connections instead of service.max_connections=%d, since the process may '
            'open only %d files; raise that: ulimit -n %d',
            *(limit, requested, soft, needed),
        )
    else:
        log.info('at most %d connections (service.max_connections)', limit)
    return limit
