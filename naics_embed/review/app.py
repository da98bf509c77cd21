"""The review over HTTP: its page, and the requests of the page."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from naics_embed import __version__
from naics_embed.errors import CodeError, UserError
from naics_embed.review.authentication import COOKIE, Visitor
from naics_embed.review.batches import CREATING, Batch, NotReadyError, all_batches, close, progress
from naics_embed.review.decide import DecisionError, Given, comment, record
from naics_embed.review.desk import Desk
from naics_embed.review.items import conflict_numbers, shown_items
from naics_embed.review.queue import next_items, release
from naics_embed.review.requests import (
    MOST_ITEMS,
    Closing,
    GivenComment,
    GivenDecision,
    SignIn,
    Wanted,
)
from naics_embed.review.statistics import agreement, error_rate, shares
from naics_embed.review.store import StoreUnavailableError
from naics_embed.review.users import end_session
from naics_embed.service.problems import ProblemError
from naics_embed.service.static_files import static_files

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name('static')
SEARCHED = 12
RETRY_AFTER_S = '1'
LONGEST_QUERY = 500


def create_review_app(desk: Desk, on_close: Callable[[Batch], None] | None = None) -> FastAPI:
    """Return the app of the review, to be served or mounted.

    Args:
        desk: the store, its users and its codes.
        on_close: called in a thread when a batch was closed on the page.
    """
    app = FastAPI(
        title='naics-embed review',
        version=__version__,
        summary='People decide the codes that the coder cannot.',
        docs_url=None,
        redoc_url=None,
    )
    _add_handlers(app)
    _add_sign_in(app, desk)
    _add_review(app, desk)
    _add_codes(app, desk)
    _add_overview(app, desk, on_close or (lambda _: None))

    @app.get('/healthz')
    def healthz() -> dict[str, str]:
        """Whether the process answers, and the store does."""
        desk.store.read(lambda connection: connection.exec_driver_sql('SELECT 1').scalar())
        return {'status': 'ready', 'version': __version__}

    @app.get('/', include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / 'index.html')

    app.mount('/static', static_files(STATIC))
    return app


def _add_sign_in(app: FastAPI, desk: Desk) -> None:
    config = desk.config

    @app.post('/api/sign-in')
    def sign_in(body: SignIn, request: Request) -> Response:
        secret = desk.gate.sign_in(body.name, body.password, _address(request, desk))
        answer = Response(status_code=204)
        answer.set_cookie(
            COOKIE,
            secret,
            max_age=int(config.session_s),
            path=request.scope.get('root_path', '') + '/',
            secure=config.secure_cookies,
            httponly=True,
            samesite='strict',
        )
        return answer

    @app.post('/api/sign-out')
    def sign_out(request: Request, _: Annotated[Visitor, Depends(desk.visitor)]) -> Response:
        secret = request.cookies.get(COOKIE)
        if secret:
            desk.store.write(lambda connection: end_session(connection, secret))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path=request.scope.get('root_path', '') + '/')
        return answer

    @app.get('/api/me')
    def me(visitor: Annotated[Visitor, Depends(desk.visitor)]) -> dict[str, Any]:
        user = visitor.user
        return {
            'name': user.name,
            'role': user.role,
            'arbitrates': user.arbitrates,
            'administers': user.administers,
            'by': visitor.by,
            'csrf': visitor.csrf,
            'prefetch': config.prefetch,
        }


def _add_review(app: FastAPI, desk: Desk) -> None:
    store, config = desk.store, desk.config

    @app.post('/api/batches/{name}/next')
    def following(
        name: str, wanted: Wanted, visitor: Annotated[Visitor, Depends(desk.visitor)]
    ) -> dict[str, Any]:
        batch = desk.batch(name)
        if batch.state != 'open':
            return {'items': [], 'state': batch.state}
        numbers = store.write(
            lambda connection: next_items(
                connection, batch.id, visitor.user, wanted.count, config.claim_s, wanted.without
            )
        )
        return {'items': _shown(desk, batch, visitor, numbers), 'state': batch.state}

    @app.post('/api/batches/{name}/release')
    def given_back(
        name: str, wanted: Wanted, visitor: Annotated[Visitor, Depends(desk.visitor)]
    ) -> Response:
        desk.batch(name)
        store.write(lambda connection: release(connection, wanted.without, visitor.user.id))
        return Response(status_code=204)

    @app.get('/api/items/{item}')
    def one_item(item: int, visitor: Annotated[Visitor, Depends(desk.visitor)]) -> dict[str, Any]:
        [shown] = _shown(desk, desk.batch_of(item), visitor, [item])
        return shown

    @app.post('/api/decisions')
    def decide(
        body: GivenDecision, visitor: Annotated[Visitor, Depends(desk.visitor)]
    ) -> dict[str, Any]:
        batch = desk.batch_of(body.item)
        _check_length(body.reason, config.max_comment)
        code = None if body.code is None else desk.book(batch).known(body.code)
        given = Given(
            body.key,
            body.item,
            body.action,
            code,
            body.reason,
            body.arbiter,
            body.elapsed_ms,
        )
        done = store.write(
            lambda connection: record(connection, visitor.user, given, config.claim_s)
        )
        # The state says what another reviewer has decided, so it is for arbiters only.
        state = done.settled.state if visitor.user.arbitrates else None
        return {'id': done.id, 'item': done.item, 'repeated': done.repeated, 'state': state}

    @app.post('/api/comments')
    def write_comment(
        body: GivenComment, visitor: Annotated[Visitor, Depends(desk.visitor)]
    ) -> dict[str, Any]:
        _check_length(body.text, config.max_comment)
        number = store.write(
            lambda connection: comment(connection, visitor.user, body.key, body.item, body.text)
        )
        return {'id': number}

    @app.get('/api/batches/{name}/conflicts')
    def conflicts(name: str, visitor: Annotated[Visitor, Depends(desk.arbiter)]) -> dict[str, Any]:
        batch = desk.batch(name)
        numbers = store.read(lambda connection: conflict_numbers(connection, batch, MOST_ITEMS))
        return {'items': _shown(desk, batch, visitor, numbers), 'state': batch.state}


def _add_codes(app: FastAPI, desk: Desk) -> None:
    @app.get('/api/batches/{name}/codes', dependencies=[Depends(desk.visitor)])
    def children(
        name: str, parent: Annotated[str | None, Query(max_length=16)] = None
    ) -> dict[str, Any]:
        book = desk.book(desk.batch(name))
        above = None if parent is None else book.known(parent)
        path = [] if above is None else book.path(above)
        return {'path': path, 'codes': book.children(above)}

    @app.get('/api/batches/{name}/codes/{code}', dependencies=[Depends(desk.visitor)])
    def card(name: str, code: str) -> dict[str, Any]:
        book = desk.book(desk.batch(name))
        return book.card(book.known(code))

    @app.get('/api/batches/{name}/search', dependencies=[Depends(desk.visitor)])
    def search(
        name: str, q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY)]
    ) -> dict[str, Any]:
        return {'codes': desk.search(desk.batch(name), q, SEARCHED)}


def _add_overview(app: FastAPI, desk: Desk, on_close: Callable[[Batch], None]) -> None:
    store = desk.store

    @app.get('/api/batches')
    def listed(visitor: Annotated[Visitor, Depends(desk.visitor)]) -> dict[str, Any]:
        def read(connection: Connection) -> list[dict[str, Any]]:
            return [
                _overview(connection, batch, visitor)
                for batch in all_batches(connection)
                if batch.state != CREATING
            ]

        return {'batches': store.read(read)}

    @app.get('/api/batches/{name}/statistics')
    def statistics(name: str, visitor: Annotated[Visitor, Depends(desk.visitor)]) -> dict[str, Any]:
        batch = desk.batch(name)

        def read(connection: Connection) -> dict[str, Any]:
            own = shares(connection, batch, visitor.user)
            answer = {
                **_overview(connection, batch, visitor),
                'threshold': batch.threshold,
                'own': asdict(own[0]) if own else None,
                'errors': asdict(error_rate(connection, batch)),
                'agreement': [asdict(one) for one in agreement(connection, batch)],
            }
            if visitor.user.arbitrates:
                answer['reviewers'] = [asdict(one) for one in shares(connection, batch)]
            return answer

        return store.read(read)

    @app.post('/api/batches/{name}/close')
    def closing(
        name: str, body: Closing, visitor: Annotated[Visitor, Depends(desk.administrator)]
    ) -> dict[str, Any]:
        by = visitor.user.name
        batch = store.write(lambda connection: close(connection, name, force=body.force, by=by))
        on_close(batch)
        return {'name': batch.name, 'state': batch.state}


def _overview(connection: Connection, batch: Batch, visitor: Visitor) -> dict[str, Any]:
    done = progress(connection, batch.id)
    own = shares(connection, batch, visitor.user)
    return {
        'name': batch.name,
        'state': batch.state,
        'source': batch.source,
        'created_at': batch.created_at.isoformat(timespec='seconds'),
        'progress': asdict(done),
        'decided': own[0].decided if own else 0,
    }


def _shown(desk: Desk, batch: Batch, visitor: Visitor, numbers: list[int]) -> list[dict[str, Any]]:
    book = desk.book(batch)
    return desk.store.read(
        lambda connection: shown_items(connection, batch, book, visitor.user, numbers)
    )


def _address(request: Request, desk: Desk) -> str:
    """Return the address that wrong passwords are counted for."""
    peer = request.client.host if request.client is not None else ''
    if peer in desk.config.trusted_proxies:
        passed_on = request.headers.get('X-Forwarded-For', '').rpartition(',')[2].strip()
        return passed_on or peer
    return peer


def _check_length(text: str | None, most: int) -> None:
    if text is not None and len(text) > most:
        raise ProblemError(422, f'a comment or reason has at most {most:,} characters')


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(UserError)
    async def user_error(_: Request, error: UserError) -> Response:
        if isinstance(error, StoreUnavailableError):
            log.warning('%s', error)
            again = {'Retry-After': RETRY_AFTER_S}
            return ProblemError(
                503, 'the store does not answer; try again', headers=again
            ).response()
        status = 409 if isinstance(error, (DecisionError, NotReadyError)) else 404
        return ProblemError(422 if isinstance(error, CodeError) else status, str(error)).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [('.'.join(map(str, one['loc'])), one['msg']) for one in error.errors()]
        return ProblemError(422, 'the request does not fit the schema', faults).response()

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return ProblemError(error.status_code, str(error.detail), (), error.headers).response()

    @app.exception_handler(Exception)
    async def bug(_: Request, error: Exception) -> Response:
        log.error('a request failed', exc_info=error)
        return ProblemError(500, 'this is a fault of the service; see its log').response()
