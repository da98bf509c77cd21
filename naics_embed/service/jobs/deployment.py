"""Large files, coded by a deployment of the flow ``code-batch``, through the API of its server.

The service does not import Prefect: three requests are all it takes. Server and workers must see
the folder of the jobs under the same path.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from naics_embed.artifacts import atomic_file, read_json
from naics_embed.errors import ArtifactError, RemoteRunError, UserError
from naics_embed.search.partitions import MANIFESTS
from naics_embed.service.jobs.record import Job
from naics_embed.tabular.part import Part
from naics_embed.tabular.write import METADATA, join_parts, part_ending, write_part

ADDRESS = 'PREFECT_API_URL'
PASSWORD = 'PREFECT_API_AUTH_STRING'
TIMEOUT_S = 30.0
BUSY = (429, 502, 503, 504)
"""Answers of a server that is too busy to answer, as Prefect's is where its database is."""

WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
COMPLETED = 'COMPLETED'
ENDED = (COMPLETED, 'FAILED', 'CRASHED', 'CANCELLED')
PARTITIONS = 'partitions'


@dataclass(frozen=True)
class RunState:
    """State of a flow run.

    Attributes:
        type: such as RUNNING or COMPLETED.
        message: what Prefect says of it.
    """

    type: str
    message: str

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.type in ENDED


class Deployment:
    """A deployment of the flow ``code-batch``."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            name: FLOW/NAME.
            environment: where ``PREFECT_API_URL`` is, and ``PREFECT_API_AUTH_STRING`` where its
                server has a password.
            transport: of httpx.

        Raises:
            UserError: no server is named.
        """
        variables = os.environ if environment is None else environment
        address = variables.get(ADDRESS)
        if not address:
            raise UserError(
                f'service.jobs.deployment={name} needs the address of its server in {ADDRESS}'
            )
        self.name = name
        user, _, password = variables.get(PASSWORD, '').partition(':')
        self._client = httpx.Client(
            base_url=address.rstrip('/') + '/',
            auth=(user, password) if user else None,
            timeout=TIMEOUT_S,
            transport=transport,
        )

    def start(self, job: Job, folder: Path, bundle: Path) -> str:
        """Start a run for a job, or find the one that was started before; return its id.

        Args:
            job: what is to be coded.
            folder: of the job.
            bundle: directory of the bundle.

        Raises:
            RemoteRunError: the server does not answer, or has no such deployment.
        """
        found = self._ask('GET', f'deployments/name/{self.name}')
        options = job.options
        parameters = {
            'source': str((folder / job.source).resolve()),
            'out': str((folder / PARTITIONS).resolve()),
            'text_column': list(options.text_column),
            'weights': list(options.weight),
            'table': str(bundle.resolve()),
            'level': options.level,
            'confidence': options.confidence,
            'top': options.top,
            'columns': None if options.columns is None else list(options.columns),
            'prefix': options.prefix,
            'provenance': options.provenance,
            'delimiter': options.delimiter,
            'encoding': options.encoding,
            'sheet': options.sheet,
            'classification': options.classification,
            'prior_column': options.prior_column,
            'prior_vintage': options.prior_vintage,
        }
        run = self._ask(
            'POST',
            f'deployments/{found["id"]}/create_flow_run',
            # The server makes one run for a key, however often it is asked.
            {'parameters': parameters, 'idempotency_key': job.id, 'name': f'job-{job.id}'},
        )
        return str(run['id'])

    def state(self, run: str) -> RunState:
        """Return the state of a run. Raises RemoteRunError where the server does not tell."""
        state = self._ask('GET', f'flow_runs/{run}').get('state') or {}
        return RunState(str(state.get('type', 'PENDING')), str(state.get('message') or ''))

    def cancel(self, run: str) -> None:
        """Ask for the end of a run. Raises RemoteRunError where the server does not answer."""
        self._ask('POST', f'flow_runs/{run}/set_state', {'state': {'type': 'CANCELLING'}})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        try:
            answer = self._client.request(method, path, json=content)
            for wait in WAITS_S:
                if answer.status_code not in BUSY:
                    break
                # Asking again is safe: a run has a key, and states and ends are the same twice.
                time.sleep(wait)
                answer = self._client.request(method, path, json=content)
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPStatusError as error:
            raise RemoteRunError(
                f'the Prefect server answers {error.response.status_code} to {method} {path}; '
                f'check that the deployment {self.name} exists (prefect deployment ls)'
            ) from error
        except (httpx.HTTPError, ValueError) as error:
            raise RemoteRunError(
                f'the Prefect server gives no answer to {method} {path} ({error!r})'
            ) from error


def rows_coded(folder: Path) -> tuple[int, int]:
    """Return how many rows of a job are coded, and how many of them cannot be read."""
    rows = bad = 0
    for manifest in (folder / PARTITIONS / MANIFESTS).glob('*.parquet.json'):
        try:
            content = read_json(manifest)
            rows, bad = rows + int(content['rows']), bad + int(content['bad'])
        except (ArtifactError, KeyError, TypeError):
            # Written right now.
            continue
    return rows, bad


def collect(job: Job, folder: Path) -> None:
    """Write the result of a job from its partitions.

    Raises:
        ArtifactError: there is no partition.
    """
    files = sorted((folder / PARTITIONS).glob('*.parquet'))
    if not files:
        raise ArtifactError(f'{folder / PARTITIONS} has no partition')
    target = folder / job.result
    names = job.options.coding().columns.names
    ending = part_ending(target)
    schema = pq.read_schema(files[0])
    own = [name for name in schema.names if name not in names]
    parts = []
    for number, file in enumerate(files):
        table = pq.read_table(file)
        rows = table.select(own)
        part = folder / PARTITIONS / MANIFESTS / f'{number:08d}{ending}'
        with atomic_file(part) as temporary:
            write_part(temporary, Part(own, rows, [None] * len(rows)), table.select(names))
        parts.append(part)
    metadata = dict(schema.metadata or {})
    stated = metadata.pop(METADATA, None)
    empty = schema.with_metadata(metadata or None).empty_table()
    with atomic_file(target) as temporary:
        join_parts(
            parts,
            temporary,
            target.suffix,
            empty.select([*own, *names]),
            metadata=None if stated is None else _read(stated),
        )


def _read(stated: bytes) -> dict[str, Any]:
    import json

    content: dict[str, Any] = json.loads(stated)
    return content
