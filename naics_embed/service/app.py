"""The app: routes, limits, and errors that a client can act on."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from naics_embed import __version__
from naics_embed.classifications.names import EDITIONS, NAICS2022
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import CodeError, MissingPackageError, UserError
from naics_embed.service import answers
from naics_embed.service.engine import Engine
from naics_embed.service.extras import Wanted, wanted_of
from naics_embed.service.guard import REQUEST_ID, Guard
from naics_embed.service.map_page import refusal
from naics_embed.service.metrics import CONTENT_TYPE
from naics_embed.service.operation import Operation
from naics_embed.service.pages import (
    LONGEST_CODE,
    STATIC,
    add_atlas,
    add_comparison,
    add_pages,
    add_tables,
)
from naics_embed.service.problems import MEDIA_TYPE, ProblemError
from naics_embed.service.reload import Source
from naics_embed.service.requests import (
    CLASSIFICATION,
    HIGHEST,
    LEVEL,
    LONGEST_CLASSIFICATION,
    TOO_MANY,
    CodeRequestFields,
    code_request,
    code_request_examples,
    codes_wanted,
    text_problem,
)
from naics_embed.service.running import JSON, RETRY_AFTER_S, Service, json_answer
from naics_embed.service.static_files import static_files
from naics_embed.taxonomy import LEVELS

log = logging.getLogger(__name__)

LONGEST_FIELD = 100


def create_app(
    config: ServiceConfig,
    load: Callable[[], Engine],
    on_failure: Callable[[BaseException], None] | None = None,
    mounts: Mapping[str, ASGIApp] | None = None,
    on_ready: Callable[[float], None] = lambda _: None,
    source: Source | None = None,
) -> Guard:
    """Return the ASGI app; the FastAPI app is its ``app``.

    Args:
        config: limits.
        load: returns the engine; called in a thread when the app starts.
        on_failure: called with what ``load`` raised; without it the error is logged.
        mounts: path → another app to serve there, without a lifespan of its own.
        on_ready: called with the seconds that loading took.
        source: where another bundle comes from while the service runs; None for none.
    """
    service = Service(config, load)
    failed = on_failure or _log_failure
    operation = Operation(service, source)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running(failed, on_ready), operation.running():
            yield

    app = FastAPI(
        title='naics-embed',
        version=__version__,
        summary='NAICS codes for descriptions of businesses, with calibrated probabilities.',
        description=(
            f'At most {config.max_body_bytes:,} bytes and {config.max_texts} texts a request, '
            f'{config.max_characters:,} characters a text, {config.timeout_s:g} s an answer. '
            'Errors are problem details (RFC 9457).'
        ),
        lifespan=lifespan,
        # The usual pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
    )
    _add_handlers(app, service)
    _add_coding(app, service)
    _add_codes(app, service)
    _add_operations(app, service)
    add_comparison(app, service)
    add_tables(app, service)
    add_atlas(app, service)
    add_pages(app)
    operation.add_routes(app)
    app.mount('/static', static_files(STATIC))
    for path, mounted in (mounts or {}).items():
        app.mount(path, mounted)
    return Guard(app, config, service.metrics)


def _add_coding(app: FastAPI, service: Service) -> None:
    config = service.config

    async def code(request: CodeRequestFields) -> Response:
        texts = request.texts
        _refuse(text_problem(texts, config))
        name, level = codes_wanted(request.classification, request.level, 'body')
        service.metrics.batch.observe(len(texts))
        return await service.code(
            texts,
            request.k,
            level,
            request.confidence,
            request.evidence,
            wanted_of(request, name),
        )

    # FastAPI reads the limits of this configuration from the annotation.
    code.__annotations__['request'] = code_request(config)
    app.post(
        '/v1/code',
        response_model=answers.CodeAnswer,
        tags=['coding'],
        summary='Codes for one text or a batch',
        openapi_extra={
            'requestBody': {'content': {'application/json': {'examples': code_request_examples()}}}
        },
    )(code)

    @app.get(
        '/v1/search',
        response_model=answers.SearchAnswer,
        tags=['coding'],
        summary='Codes and the point on the map for one text, or the card of a code',
    )
    async def search(
        q: Annotated[str, Query(description='A description or a code.', examples=['dog grooming'])],
        k: Annotated[int, Query(ge=1, le=config.max_k)] = config.k,
        classification: Annotated[
            str,
            Query(
                max_length=LONGEST_CLASSIFICATION,
                description=CLASSIFICATION,
                examples=list(EDITIONS),
            ),
        ] = NAICS2022,
        level: Annotated[int | None, Query(ge=HIGHEST, le=LEVELS[-1], description=LEVEL)] = None,
        confidence: Annotated[float, Query(gt=0, le=1)] = config.confidence,
        ask: Annotated[bool, Query(description='Return the question that helps most.')] = False,
        coverage: Annotated[
            float | None, Query(gt=0, lt=1, description='Promised coverage of a set of codes.')
        ] = None,
    ) -> Response:
        _refuse(text_problem([q], config, 'query.q'))
        name, digits = codes_wanted(classification, level, 'query')
        service.metrics.batch.observe(1)
        wanted = Wanted(ask, coverage, classification=name)
        return await service.run(
            lambda engine: json_answer(service.searched(engine, q, k, digits, confidence, wanted))
        )


def _add_codes(app: FastAPI, service: Service) -> None:
    config = service.config

    @app.get(
        '/v1/codes/{code}',
        response_model=answers.CodeCard,
        tags=['codes'],
        summary='Title, path, children, similar codes and coordinates of a code',
        responses={404: _PROBLEM},
    )
    async def card(
        code: Annotated[str, PathParameter(max_length=LONGEST_CODE, examples=['541330', '31-33'])],
        similar: Annotated[int, Query(ge=0, le=config.max_k)] = config.similar,
        by: Annotated[
            Literal['tree', 'text', 'both'],
            Query(description='How similar codes are found: by the points, by texts, or by both.'),
        ] = 'tree',
    ) -> Response:
        return await service.run(lambda engine: json_answer(engine.card(code, similar, by)))

    @app.get(
        '/v1/codes',
        response_model=answers.CodeList,
        tags=['codes'],
        summary='The sectors, or the codes below a code',
        responses={404: _PROBLEM},
    )
    async def codes(
        parent: Annotated[
            str | None,
            Query(max_length=LONGEST_CODE, description='A code.', examples=['541', '31-33']),
        ] = None,
        level: Annotated[
            int | None,
            Query(
                ge=LEVELS[0],
                le=LEVELS[-1],
                description="Digits; by default one more than the parent's, without one 2.",
            ),
        ] = None,
    ) -> Response:
        return await service.run(lambda engine: json_answer(engine.codes(parent, level)))

    @app.get(
        '/v1/map',
        response_model=answers.DiskMap,
        tags=['codes'],
        summary='All codes on the Poincaré disk',
    )
    async def disk() -> Response:
        return await service.run(lambda engine: Response(engine.map, media_type=JSON))


def _add_operations(app: FastAPI, service: Service) -> None:
    @app.get('/healthz', response_model=answers.Health, tags=['operations'])
    async def healthz() -> answers.Health:
        """Whether the process answers."""
        return answers.Health(status='alive', version=__version__)

    @app.get(
        '/readyz', response_model=answers.Health, tags=['operations'], responses={503: _PROBLEM}
    )
    async def readyz() -> answers.Health:
        """Whether the model is loaded."""
        if service.engine is None:
            loading = f'loading for {service.loading_s:.0f} s'
            detail = loading if service.failure is None else 'did not load; see the log'
            raise ProblemError(503, detail, headers={'Retry-After': RETRY_AFTER_S})
        return answers.Health(status='ready', version=__version__, bundle=service.engine.bundle)

    @app.get('/metrics', tags=['operations'], response_class=Response)
    async def metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _add_handlers(app: FastAPI, service: Service) -> None:
    refused = service.metrics.refused

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        # Those of 5xx are counted where they arise.
        if error.status < 500:
            refused.labels('invalid').inc()
        return refusal(error, request.scope)

    @app.exception_handler(CodeError)
    async def no_code(_: Request, error: CodeError) -> Response:
        refused.labels('invalid').inc()
        return ProblemError(404, str(error)).response()

    @app.exception_handler(UserError)
    async def user_error(_: Request, error: UserError) -> Response:
        refused.labels('invalid').inc()
        return ProblemError(422, str(error)).response()

    @app.exception_handler(MissingPackageError)
    async def missing(_: Request, error: MissingPackageError) -> Response:
        # The request is right; it is this server that cannot.
        return ProblemError(501, f'this server lacks a package: {error}').response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        refused.labels('invalid').inc()
        errors = error.errors()
        status = 413 if any(fault['type'] == TOO_MANY for fault in errors) else 422
        faults = [
            ('.'.join(map(str, fault['loc']))[:LONGEST_FIELD], fault['msg']) for fault in errors
        ]
        return ProblemError(status, 'the request does not fit the schema', faults).response()

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return ProblemError(error.status_code, str(error.detail), (), error.headers).response()

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        refused.labels('bug').inc()
        number = request.state.request_id
        log.error('request %s failed', number, exc_info=error)
        return ProblemError(
            500, f'this is a fault of the service; the log has it under {REQUEST_ID} {number}'
        ).response()


_PROBLEM: dict[str, Any] = {
    'model': answers.Problem,
    'content': {MEDIA_TYPE: {}},
    'description': 'Problem details.',
}
_PROBLEMS: dict[int | str, dict[str, Any]] = dict.fromkeys(
    (400, 403, 408, 413, 415, 421, 422, 501, 503, 504), _PROBLEM
)


def _refuse(problem: ProblemError | None) -> None:
    if problem is not None:
        raise problem


def _log_failure(error: BaseException) -> None:
    log.error('the model did not load', exc_info=error)
