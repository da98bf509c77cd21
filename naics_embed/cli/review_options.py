"""What the commands of the review have in common."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.cli.checkout import configs_folder
from naics_embed.errors import UserError

if TYPE_CHECKING:
    from naics_embed.config.review import ReviewConfig
    from naics_embed.config.service import ServiceConfig

REQUIRED = ('sqlalchemy', 'alembic', 'argon2', 'fastapi', 'uvicorn', 'prometheus_client')
STORE_VARIABLE = 'NAICS_EMBED_REVIEW_STORE'
StoreOption = Annotated[
    str | None,
    typer.Option(
        help='Database of the review, sqlite:///FILE or postgresql://…; review.db in the artifact '
        'root by default.',
        envvar=STORE_VARIABLE,
    ),
]
BatchName = Annotated[str, typer.Argument(help='Name of the batch.', metavar='NAME')]
ConfigFolder = Annotated[
    Path | None, typer.Option(help='Folder with base.yaml; configs of the checkout by default.')
]


def review_config(
    folder: Path | None = None, overrides: list[str] | None = None
) -> tuple['ReviewConfig', 'ServiceConfig']:
    """Return the sections ``review`` and ``service``: of the files, or the defaults without any."""
    from naics_embed.config.load import load_config
    from naics_embed.config.review import ReviewConfig
    from naics_embed.config.service import ServiceConfig

    default = configs_folder()
    folder = folder or (default if default.is_dir() else None)
    if folder is not None:
        config = load_config(folder, None, list(overrides or [])).config
        return config.review, config.service
    if overrides:
        raise UserError('settings need --config-folder, a folder with base.yaml')
    return ReviewConfig(), ServiceConfig()


def check_installed() -> None:
    """Raise UserError where a package that the review needs is missing."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} is missing: pip install 'naics-embed[review]'")


def store_address(address: str | None, config: 'ReviewConfig | None' = None) -> str | None:
    """Return the address of the store: of the option, the environment or the configuration.

    None is ``review.db`` in the artifact root. Raises UserError as `check_installed`.
    """
    check_installed()
    settings = config or review_config()[0]
    return address or os.environ.get(STORE_VARIABLE) or settings.store


def open_store(address: str | None, config: 'ReviewConfig | None' = None) -> Any:
    """Return the store at `store_address`."""
    found = store_address(address, config)
    from naics_embed.review.store import Store

    return Store.open(found)
