"""Prefect's server behind checks of ``Host`` and ``Origin``."""

import os
from collections.abc import Sequence
from typing import Any


def serve_prefect(hosts: Sequence[str], origins: Sequence[str], **options: Any) -> None:
    """Run Prefect's API, services and UI until a signal ends the process.

    What ``prefect server start`` does in one process, with the checks of
    `flows.local_platform.guard` before the application. Settings are read from the environment.

    Args:
        hosts: names that requests may call this server by.
        origins: origins of the pages that may use it.
        options: of ``uvicorn.Config``: host and port, or a listening socket's descriptor.
    """
    os.environ['PREFECT_SERVER_CORS_ALLOWED_ORIGINS'] = ','.join(origins)
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from flows.local_platform.guard import guarded

    settings = get_current_settings().server
    uvicorn.run(
        guarded(create_app(final=True), hosts, origins),
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
        **options,
    )
