"""Where a run finds the store of the review."""

from pathlib import Path

from naics_embed.cli.review_options import store_address
from naics_embed.config.review import ReviewConfig
from naics_embed.review.store import FILE
from naics_embed.sqlite_address import sqlite_address


def store_under(root: Path, review: ReviewConfig) -> str:
    """Return the address of the store, as the commands ``review`` find it.

    Args:
        root: artifact root, which has the store where nothing else is said.
        review: settings of the review.

    Raises:
        UserError: the extra ``review`` is not installed.
    """
    return store_address(None, review) or sqlite_address(root.absolute() / FILE)
