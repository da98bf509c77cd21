"""Stores in folders of their own, copies of one that has the codes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import insert

from naics_embed.review import users
from naics_embed.review.store import Store
from naics_embed.review.tables import codes
from tests.review.review_help import code_rows


@pytest.fixture(scope='session', autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hashes of passwords that take no time; a test of their cost looks at the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, '_hasher', lambda: PasswordHasher(1, 8, 1))
        yield


@pytest.fixture(scope='session')
def template(tmp_path_factory) -> Path:
    """A store with the codes of a bundle, closed."""
    path = tmp_path_factory.mktemp('template') / 'review.db'
    store = Store.open(str(path))
    with store.writing() as connection:
        connection.execute(insert(codes), code_rows())
    store.close()
    return path


@pytest.fixture
def address(tmp_path, template) -> str:
    copy = tmp_path / 'review.db'
    shutil.copy(template, copy)
    copy.chmod(0o600)
    return str(copy)


@pytest.fixture
def store(address) -> Iterator[Store]:
    opened = Store.open(address)
    yield opened
    opened.close()
