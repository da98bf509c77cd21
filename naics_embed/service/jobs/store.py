"""The folder of the jobs: a folder a job, with its file, its record and its result."""

import logging
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from naics_embed.config.operation import JobsConfig
from naics_embed.errors import ArtifactError, UserError
from naics_embed.service.jobs.record import ENDED, RECORD, Job
from naics_embed.tabular.open import READABLE
from naics_embed.tabular.streams import compression_of, format_of
from naics_embed.tabular.write import WRITABLE

log = logging.getLogger(__name__)

ID = re.compile(r'[0-9a-f]{32}')
ID_BYTES = 16
INCOMING = '.incoming-'
DEFAULT_RESULT = '.csv'
PRIVATE = 0o700


class JobStore:
    """All jobs, in memory as on disk."""

    def __init__(self, folder: Path, config: JobsConfig) -> None:
        """Read the jobs of an earlier process, and remove what it left half uploaded.

        Raises:
            UserError: the folder cannot be made.
        """
        self.folder = folder
        self.config = config
        self.lock = threading.RLock()
        try:
            folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f'{folder} cannot be made ({error.strerror}); name another service.jobs.folder'
            ) from error
        for left in folder.glob(f'{INCOMING}*'):
            shutil.rmtree(left, ignore_errors=True)
        self._jobs: dict[str, Job] = {}
        for path in sorted(folder.glob(f'*/{RECORD}')):
            try:
                job = Job.read(path.parent)
            except ArtifactError as error:
                log.error('a job is passed over: %s', error)
                continue
            self._jobs[job.id] = job

    def __iter__(self) -> Iterator[Job]:
        """Yield the jobs, the oldest first."""
        with self.lock:
            return iter(sorted(self._jobs.values(), key=lambda job: (job.created, job.id)))

    def get(self, number: str) -> Job | None:
        """Return a job; None where there is none."""
        with self.lock:
            return self._jobs.get(number)

    def folder_of(self, job: Job) -> Path:
        """Return the folder of a job."""
        return self.folder / job.id

    def waiting(self) -> int:
        """Return how many jobs run or wait."""
        return sum(job.state not in ENDED for job in self)

    def incoming(self, filename: str, result: str | None) -> tuple[Job, Path]:
        """Return a new job, and the folder into which its file is uploaded.

        Args:
            filename: the client's name of the file; only its endings are used.
            result: format of the result, such as ``parquet``; None for that of the file, where it
                can be written.

        Raises:
            UserError: a format is not read or written.
        """
        name = Path(filename)
        ending = format_of(name)
        if ending not in READABLE:
            raise UserError(f'filename must end in one of {", ".join(READABLE)}')
        packed = compression_of(name) or ''
        wanted = f'.{result.lower().removeprefix(".")}' if result else ending
        if result and wanted not in WRITABLE:
            known = ', '.join(one.removeprefix('.') for one in WRITABLE)
            raise UserError(f'format must be one of {known}, not {result}')
        written = wanted if wanted in WRITABLE else DEFAULT_RESULT
        job = Job(secrets.token_hex(ID_BYTES), f'input{ending}{packed}', f'result{written}')
        folder = self.folder / f'{INCOMING}{job.id}'
        folder.mkdir(mode=PRIVATE)
        return job, folder

    def add(self, job: Job, incoming: Path) -> None:
        """Keep a job whose file is there."""
        job.write(incoming)
        with self.lock:
            incoming.rename(self.folder_of(job))
            self._jobs[job.id] = job

    def save(self, job: Job) -> None:
        """Write what changed of a job, unless it was removed meanwhile."""
        with self.lock:
            if job.id in self._jobs:
                job.write(self.folder_of(job))

    def clear(self, job: Job) -> None:
        """Remove the files of a job, not its record."""
        for path in self.folder_of(job).glob('*'):
            if path.name != RECORD:
                _remove(path)
        for path in self.folder_of(job).glob('.*'):
            _remove(path)

    def keep_result(self, job: Job) -> None:
        """Remove what a job that is done does not need any more: all but record and result."""
        for path in self.folder_of(job).iterdir():
            if path.name not in (RECORD, job.result):
                _remove(path)

    def remove(self, job: Job) -> None:
        """Remove a job and all of its files."""
        with self.lock:
            self._jobs.pop(job.id, None)
            shutil.rmtree(self.folder_of(job), ignore_errors=True)

    def expires(self, job: Job) -> datetime | None:
        """Return when a job that has ended is removed."""
        if job.ended is None:
            return None
        return datetime.fromisoformat(job.ended) + timedelta(hours=self.config.keep_hours)

    def expire(self, now: datetime | None = None) -> int:
        """Remove jobs whose time is over; return how many."""
        at = now or datetime.now(UTC)
        over = [job for job in self if (end := self.expires(job)) is not None and end <= at]
        for job in over:
            self.remove(job)
        return len(over)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
