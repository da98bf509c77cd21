"""The server of the review: its own process, or mounted in the service."""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from naics_embed.config.review import ReviewConfig
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.review.app import create_review_app
from naics_embed.review.batches import Batch
from naics_embed.review.closing import tell_closed
from naics_embed.review.desk import Desk
from naics_embed.review.store import Store
from naics_embed.review.users import all_users
from naics_embed.service.guard import Guard
from naics_embed.service.listening import is_loopback, listen, make_server
from naics_embed.service.metrics import Metrics
from naics_embed.service.open_files import connection_limit
from naics_embed.service.rare import RareWarnings

if TYPE_CHECKING:
    from naics_embed.search.coder import Coder

log = logging.getLogger(__name__)

CHATTY = ('asyncio', 'uvicorn.error', 'naics_embed.service.accepting', 'naics_embed.review.app')
"""Loggers whose warnings any client can cause, or a database that is down."""
MOUNTED = '/review'
"""Where the service has the review."""


def review_desk(store: Store, config: ReviewConfig) -> Desk:
    """Return a desk. Raises UserError where nobody could sign in."""
    if not any(user.active for user in store.read(all_users)):
        raise UserError(
            'nobody may sign in yet; make the first administrator: '
            'naics-embed review user add NAME --role administrator'
        )
    return Desk(store, config)


def review_app(desk: Desk) -> FastAPI:
    """Return the app of a desk; a batch that is closed on its page tells its webhook."""

    def closed(batch: Batch) -> None:
        threading.Thread(target=_tell, args=(desk, batch)).start()

    return create_review_app(desk, closed)


def use_coder(desk: Desk, coder: 'Coder') -> None:
    """Let the search of the page find codes for descriptions."""

    def search(text: str, most: int) -> list[tuple[str, float]]:
        [answer] = coder.search([text], most)
        return [(hit.code, hit.probability) for hit in answer.hits]

    desk.text_search = search


def run_review(
    store: Store,
    config: ReviewConfig,
    service: ServiceConfig,
    bundle: Path | None,
    root_path: str = '',
) -> None:
    """Serve the review until a signal stops the process.

    Args:
        store: of the batches.
        config: address, users, claims.
        service: limits on connections and bodies, hosts and origins.
        bundle: whose coder the search uses, loaded behind; None for a search by words only.
        root_path: path prefix under which a proxy serves it.

    Raises:
        UserError: the address is not free, or nobody may sign in.
    """
    for name in CHATTY:
        logging.getLogger(name).addFilter(RareWarnings())
    desk = review_desk(store, config)
    if not is_loopback(config.host):
        log.warning(
            'listening on %s, where other machines can reach it, without TLS: put a proxy with TLS '
            'before it, and set review.secure_cookies',
            config.host,
        )
    limits = replace(service, host=config.host, port=config.port)
    app = Guard(review_app(desk), limits, Metrics())
    with listen(config.host, config.port) as listening:
        host = f'[{config.host}]' if ':' in config.host else config.host
        log.info('listening on http://%s:%d', host, listening.getsockname()[1])
        if bundle is not None:
            threading.Thread(target=_load, args=(desk, bundle), daemon=True).start()
        limit = connection_limit(limits.max_connections)
        make_server(app, limits, listening, limit, root_path).run()


def _load(desk: Desk, bundle: Path) -> None:
    from naics_embed.search.coder import Coder

    try:
        use_coder(desk, Coder.load(bundle))
    except UserError as error:
        log.warning('the search finds titles only: %s', error)
    else:
        log.info('the search uses %s', bundle)


def _tell(desk: Desk, batch: Batch) -> None:
    try:
        delivery = tell_closed(desk.store, batch, desk.config)
    except UserError as error:
        log.warning('the webhook of %s was not told: %s', batch.name, error)
        return
    if delivery is not None and not delivery.delivered:
        log.warning('the webhook of %s was not told: %s', batch.name, delivery.reason)
