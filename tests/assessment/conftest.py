"""A coder on the tiny bundle, and labelled texts of it."""

from pathlib import Path

import pytest

from naics_embed.learning.labelled import LabelledTexts, label_texts
from naics_embed.search.coder import Coder
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('assessment')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='session')
def coder(bundle_path) -> Coder:
    return Coder.load(bundle_path)


@pytest.fixture
def label(coder):
    """Make labelled texts of pairs of text and code."""

    def made(*pairs: tuple[str, str], **options: object) -> LabelledTexts:
        texts, codes = zip(*pairs, strict=True)
        return label_texts(texts, codes, coder.searcher.codes, **options)

    return made
