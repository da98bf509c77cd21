"""Prefect's server: checked before anything heavy is loaded, its failures in one sentence."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from naics_embed.disk import disk_error
from naics_embed.doctor.finding import Level
from naics_embed.doctor.servers import check_prefect
from naics_embed.errors import OrchestrationError, UserError

if TYPE_CHECKING:
    import httpx
    from prefect.settings import Settings

EARLY_S = 3.5
"""Seconds in which a server that the environment names must answer, on a busy machine too."""
ANSWER_S = 15.0
"""Seconds for the second question, to a server that has answered once."""
DAMAGED = ('file is not a database', 'database disk image is malformed', 'malformed database')
UNREACHABLE = 'unable to open database file'
NEWER = "Can't locate revision identified by"


def check_named_server() -> None:
    """Ask the server that ``PREFECT_API_URL`` names whether it lives; Prefect is not loaded yet.

    Raises:
        OrchestrationError: it gives no answer.
    """
    _raise_unless_well(os.environ, EARLY_S, refusal=False)


def check_server(settings: 'Settings') -> None:
    """Ask the server of Prefect's settings whether it lives and takes their password.

    Raises:
        OrchestrationError: it gives no answer, or refuses us.
    """
    known = settings.to_environment_variables(exclude_unset=True, include_secrets=True)
    early = 'PREFECT_API_URL' in os.environ
    _raise_unless_well(known, ANSWER_S if early else EARLY_S, refusal=True)


def _raise_unless_well(environment: Mapping[str, str], timeout_s: float, *, refusal: bool) -> None:
    finding = check_prefect(environment, timeout_s)
    if finding.level is Level.FAIL or (refusal and finding.level is Level.WARN):
        raise OrchestrationError(f'the Prefect server {finding.found}: {finding.remedy}')


@contextmanager
def clear_server_errors(url: str) -> Iterator[None]:
    """Raise one clear sentence, not the error of the client, where a named server went away."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        if not _asked(error, url):
            raise
        raise OrchestrationError(
            f'the Prefect server {url} stopped answering ({error!r}); start it and run again: '
            'finished stages are kept'
        ) from error


def server_error(output: str, home: Path) -> UserError | None:
    """Return the error to show for a server that could not start or work, from its output.

    Args:
        output: what the server wrote.
        home: Prefect's home, with its database.

    Returns:
        The error; None where the output has no known failure.
    """
    database = home / 'prefect.db'
    on_disk = disk_error(OSError(output), home)
    if on_disk is not None:
        return on_disk
    if any(words in output for words in DAMAGED):
        return OrchestrationError(
            f"Prefect's database {database} is damaged; move it away and run again: a new one is "
            'made, and only the history on the pages of Prefect is lost'
        )
    if UNREACHABLE in output:
        return OrchestrationError(
            f"Prefect's database cannot be opened: {home} (PREFECT_HOME) is missing or may not be "
            'written by you, or PREFECT_API_DATABASE_CONNECTION_URL names another database'
        )
    if NEWER in output:
        return OrchestrationError(
            f"Prefect's database {database} was made by a newer Prefect; move it away and run "
            'again, or install that version'
        )
    return None


def _asked(error: 'httpx.TransportError', url: str) -> bool:
    try:
        return str(error.request.url).startswith(url.rstrip('/'))
    except RuntimeError:
        # It was raised without its request.
        return False
