"""The pages, and the routes that only they need: tables, two codes side by side."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse

from naics_embed.service import answers
from naics_embed.service.access import MAP_PATH
from naics_embed.service.problems import ProblemError
from naics_embed.service.requests import text_problem
from naics_embed.service.running import Service, json_answer
from naics_embed.service.tables import WORKBOOK_TYPE, read_table, workbook

STATIC = Path(__file__).with_name('static')
LONGEST_CODE = 16
LONGEST_NAME = 200
POLICY = 'Content-Security-Policy'


def add_pages(app: FastAPI) -> None:
    """Add the pages that are files, under ``/`` and ``/table``."""

    @app.get('/', include_in_schema=False)
    async def search_page() -> FileResponse:
        return FileResponse(STATIC / 'index.html')

    @app.get('/table', include_in_schema=False)
    async def table_page() -> FileResponse:
        return FileResponse(STATIC / 'table.html')


def add_atlas(app: FastAPI, service: Service) -> None:
    """Add the map of all codes under ``/atlas``; it has its scripts inside, named by their hash."""

    @app.get(MAP_PATH, include_in_schema=False)
    async def atlas() -> Response:
        page, policy = await service.run(lambda engine: engine.atlas)
        return Response(page, media_type='text/html', headers={POLICY: policy})


def add_comparison(app: FastAPI, service: Service) -> None:
    """Add ``GET /v1/compare``."""
    config = service.config

    @app.get(
        '/v1/compare',
        response_model=answers.CodeComparison,
        tags=['codes'],
        summary='Two codes side by side, and what decides between them',
        responses={404: {'model': answers.Problem, 'description': 'Problem details.'}},
    )
    async def compare(
        first: Annotated[str, Query(max_length=LONGEST_CODE, examples=['541511'])],
        second: Annotated[str, Query(max_length=LONGEST_CODE, examples=['541512'])],
        q: Annotated[str | None, Query(description='A description, for evidence.')] = None,
    ) -> Response:
        if q is not None and (problem := text_problem([q], config, 'query.q')) is not None:
            raise problem
        return await service.run(lambda engine: json_answer(engine.compare(first, second, q)))


def add_tables(app: FastAPI, service: Service) -> None:
    """Add ``POST /v1/table`` and ``POST /v1/workbook``."""
    most = service.config.max_rows

    @app.post(
        '/v1/table',
        response_model=answers.Table,
        tags=['tables'],
        summary='Rows of a csv file or a workbook, as text',
        openapi_extra={
            'requestBody': {
                'required': True,
                'content': {'application/octet-stream': {'schema': {'format': 'binary'}}},
            }
        },
    )
    async def table(
        request: Request,
        name: Annotated[str, Query(max_length=LONGEST_NAME, examples=['firms.xlsx'])],
    ) -> Response:
        content = await request.body()
        return await service.run(lambda _: json_answer(read_table(content, name, most)))

    @app.post(
        '/v1/workbook',
        response_class=Response,
        tags=['tables'],
        summary='A table as an xlsx workbook',
        responses={200: {'content': {WORKBOOK_TYPE: {}}}},
    )
    async def write(given: answers.Table) -> Response:
        if len(given.rows) > most:
            raise ProblemError(
                413, f'there are {len(given.rows):,} rows, at most {most:,} are read'
            )
        return await service.run(lambda _: Response(workbook(given), media_type=WORKBOOK_TYPE))
