"""How many connections the process may hold, from the number of files that it may open."""

import logging
import resource

from naics_embed.errors import UserError

log = logging.getLogger(__name__)

RESERVE = 96
"""Files besides connections. A service that is ready has a dozen open; loading opens files of the
bundle, and some connections are accepted before those they replace are closed."""
LEAST = 16


def connection_limit(wanted: int) -> int:
    """Return how many connections are possible, and raise the soft limit of open files for them.

    Args:
        wanted: most connections.

    Raises:
        UserError: the process may open so few files that hardly a connection is left.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    needed = wanted + RESERVE
    if soft != unlimited and soft < needed:
        # No further than needed: with a limit of a million some programs are slow to start others.
        raised = needed if hard == unlimited else min(needed, hard)
        if raised > soft:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
                soft = raised
            except (OSError, ValueError) as error:
                log.warning('the limit of open files stays at %d: %s', soft, error)
    limit = wanted if soft == unlimited else min(wanted, soft - RESERVE)
    if limit < min(wanted, LEAST):
        raise UserError(
            f'the process may open only {soft} files, of which {RESERVE} are kept for other than '
            f'connections; raise it: ulimit -n {needed}'
        )
    if limit < wanted:
        log.warning(
            'at most %d connections instead of service.max_connections=%d, since the process may '
            'open only %d files; raise that: ulimit -n %d',
            *(limit, wanted, soft, needed),
        )
    else:
        log.info('at most %d connections (service.max_connections)', limit)
    return limit
