"""Routes of jobs: a file in, its id out; progress; the result."""

import asyncio
import errno
import shutil
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from naics_embed.classifications.names import EDITIONS, NAICS2022
from naics_embed.errors import MissingPackageError, UserError
from naics_embed.search.code_values import AUTO
from naics_embed.service.jobs.record import DONE, Job, JobOptions
from naics_embed.service.jobs.runner import JobRunner
from naics_embed.service.problems import ProblemError
from naics_embed.service.requests import HIGHEST, LEVEL, LONGEST_CLASSIFICATION
from naics_embed.service.running import Service
from naics_embed.taxonomy import LEVELS

MOST_LISTED = 100
LONGEST_NAME = 255
RETRY_AFTER_S = '60'
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
JobId = Annotated[str, PathParameter(pattern='^[0-9a-f]{32}$')]


class JobState(BaseModel):
    """A job."""

    id: str
    state: str = Field(description='queued, running, done, failed or cancelled.')
    rows: int = Field(description='Rows that are coded.')
    total: int | None = Field(description='Rows; of text files their lines; null if unknown.')
    bad: int = Field(description='Rows that cannot be read.')
    created: str
    started: str | None
    ended: str | None
    expires: str | None = Field(description='When the result is removed.')
    error: str | None
    bundle: str | None = Field(description='Key of the bundle that codes it.')
    flow_run: str | None = Field(description='Run of the deployment that codes it, if one does.')
    notes: list[str] = Field(description='What was detected in the file.')
    result: str | None = Field(description='Path of the result, once it is there.')


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobState]


def add_jobs(app: FastAPI, service: Service, runner: JobRunner) -> None:
    """Add the routes of jobs."""
    config = service.config
    store = runner.store

    def found(request: Request, number: str) -> Job:
        """Return a job of the caller's; that of another key is not there."""
        job = store.get(number)
        if job is None or job.owner != _key(request):
            raise ProblemError(
                404, f'there is no job {number}; it may have expired or have been deleted'
            )
        return job

    def state_of(job: Job) -> JobState:
        expires = store.expires(job)
        return JobState(
            **{name: getattr(job, name) for name in JobState.model_fields if hasattr(job, name)}
            | {
                'expires': None if expires is None else expires.isoformat(timespec='seconds'),
                'result': f'v1/jobs/{job.id}/result' if job.state == DONE else None,
                'notes': list(job.notes),
            }
        )

    @app.post('/v1/jobs', response_model=JobState, status_code=202, tags=['jobs'])
    async def create(
        request: Request,
        response: Response,
        filename: Annotated[
            str,
            Query(
                max_length=LONGEST_NAME,
                description='Name of the file; its ending is its format.',
                examples=['firms.csv'],
            ),
        ],
        format: Annotated[
            str | None, Query(description='Of the result: csv, parquet, xlsx, jsonl, feather.')
        ] = None,
        text_column: Annotated[list[str] | None, Query()] = None,
        weight: Annotated[list[str] | None, Query()] = None,
        level: Annotated[int | None, Query(ge=HIGHEST, le=LEVELS[-1], description=LEVEL)] = None,
        confidence: Annotated[float, Query(gt=0, le=1)] = config.confidence,
        top: Annotated[int, Query(ge=1, le=config.max_k)] = 1,
        columns: Annotated[str | None, Query(description='Such as code,probability.')] = None,
        prefix: Annotated[
            str | None,
            Query(
                max_length=LONGEST_NAME, description='naics_, or the classification, by default.'
            ),
        ] = None,
        provenance: bool = False,
        delimiter: str | None = None,
        encoding: str | None = None,
        quote: str | None = None,
        skip_rows: Annotated[int | None, Query(ge=0)] = None,
        header: bool = True,
        sheet: str | None = None,
        classification: Annotated[
            str, Query(max_length=LONGEST_CLASSIFICATION, examples=list(EDITIONS))
        ] = NAICS2022,
        prior_column: Annotated[
            str | None, Query(description='A column with codes that rows have already.')
        ] = None,
        prior_vintage: Annotated[
            str, Query(description='Of these codes: 2012, 2017, 2022, sic or auto.')
        ] = AUTO,
    ) -> JobState:
        """Code every row of a file. The body is the file; the options are those of `code`."""
        if store.waiting() >= runner.config.max_waiting:
            raise ProblemError(
                503,
                f'{runner.config.max_waiting} jobs run or wait; try again later',
                headers={'Retry-After': RETRY_AFTER_S, 'Connection': 'close'},
            )
        chosen = None if columns is None else tuple(one.strip() for one in columns.split(','))
        options = JobOptions(
            tuple(text_column or JobOptions.text_column),
            tuple(weight or ()),
            *(level, confidence, top, chosen, prefix, provenance),
            *(delimiter, encoding, quote, skip_rows, header, sheet),
            *(classification, prior_column, prior_vintage),
        )
        # What is wrong is said before the file is read.
        options.coding()
        job, incoming = store.incoming(filename, format)
        job.options, job.owner = options, _key(request)
        try:
            await _receive(request, incoming / job.source, runner)
            try:
                job = await asyncio.to_thread(runner.check, job, incoming)
            except MissingPackageError:
                raise
            except UserError as error:
                raise ProblemError(422, job.message(error, incoming, filename)) from error
            await asyncio.to_thread(store.add, job, incoming)
        finally:
            await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
        runner.add(job)
        runner.expire()
        response.headers['Location'] = f'{request.scope.get("root_path", "")}/v1/jobs/{job.id}'
        return state_of(job)

    @app.get('/v1/jobs', response_model=JobList, tags=['jobs'])
    async def jobs(request: Request) -> JobList:
        """The jobs of the caller's key, the newest first."""
        runner.expire()
        own = [job for job in store if job.owner == _key(request)]
        return JobList(jobs=[state_of(job) for job in reversed(own[-MOST_LISTED:])])

    @app.get('/v1/jobs/{number}', response_model=JobState, tags=['jobs'])
    async def job(request: Request, number: JobId) -> JobState:
        """State and progress of a job."""
        runner.expire()
        return state_of(found(request, number))

    @app.get('/v1/jobs/{number}/result', response_class=FileResponse, tags=['jobs'])
    async def result(request: Request, number: JobId) -> FileResponse:
        """The file with the added columns."""
        one = found(request, number)
        if one.state != DONE:
            raise ProblemError(
                409, f'the job is {one.state}' + (f': {one.error}' if one.error else '')
            )
        path = store.folder_of(one) / one.result
        return FileResponse(path, filename=f'{number}{path.suffix}')

    @app.delete('/v1/jobs/{number}', status_code=204, tags=['jobs'])
    async def cancel(request: Request, number: JobId) -> None:
        """Stop a job; remove one that has ended, with its files."""
        await asyncio.to_thread(runner.cancel, found(request, number))


def _key(request: Request) -> Any:
    return request.scope['state'].get('key')


async def _receive(request: Request, target: Path, runner: JobRunner) -> None:
    """Write the body of a request to a file.

    Raises:
        ProblemError: it is too large, too slow or cut, or the disk is full.
    """
    most = runner.config.max_bytes
    too_large = ProblemError(
        413,
        f'the file is larger than {most} bytes (service.jobs.max_bytes); divide it',
        headers={'Connection': 'close'},
        reason='size',
    )
    length = request.headers.get('content-length', '')
    if length.isdigit() and int(length[:20]) > most:
        raise too_large
    size = 0
    try:
        async with asyncio.timeout(runner.config.upload_timeout_s):
            with target.open('wb') as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise too_large
                    await asyncio.to_thread(file.write, chunk)
    except TimeoutError as error:
        raise ProblemError(
            408,
            f'the file did not arrive within {runner.config.upload_timeout_s:g} s',
            headers={'Connection': 'close'},
        ) from error
    except ClientDisconnect as error:
        raise ProblemError(400, 'the file was cut: the client has gone') from error
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise ProblemError(
            507, 'the disk of the jobs is full; try again later', headers={'Connection': 'close'}
        ) from error
