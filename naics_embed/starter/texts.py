"""The texts of a starter: titles, and the project's own."""

import polars as pl

from naics_embed.census.codebook import build_codebook
from naics_embed.census.sources import package_source
from naics_embed.config.starter import StarterConfig
from naics_embed.data.plain_language import plain_language
from naics_embed.taxonomy import LEAF_LEVEL

SETS = {'plain': 'plain language', 'panel': 'plain language', 'business': 'business'}
"""Kind of a text → the set of queries to which weights are fitted together."""


def titles() -> pl.DataFrame:
    """Return the codes with official spelling, vintage, level and title, from a package."""
    return build_codebook(package_source())


def known_texts(codebook: pl.DataFrame, config: StarterConfig) -> pl.DataFrame:
    """Return the texts that are evidence: ``text`` and ``code`` of any level, titles first."""
    corpus = plain_language().filter(
        (pl.col('split') == 'train')
        & (pl.col('kind') != 'group')
        & pl.col('code').is_in(codebook['code'].implode())
    )
    business = pl.col('kind') == 'business'
    place = pl.int_range(pl.len()).over('code')
    few = corpus.filter(business).filter(place < config.business_texts)
    return pl.concat(
        [
            codebook.select(text='title', code='code'),
            corpus.filter(~business).select('text', 'code'),
            few.select('text', 'code'),
        ]
    ).unique(maintain_order=True)


def fitted_texts(codebook: pl.DataFrame, config: StarterConfig) -> pl.DataFrame:
    """Return validation texts of six-digit codes: ``text``, ``code`` and ``set``."""
    leaves = codebook.filter(pl.col('level') == LEAF_LEVEL)['code']
    rows = plain_language().filter(
        (pl.col('split') == 'validation') & pl.col('code').is_in(leaves.implode())
    )
    chosen = [
        part.sample(min(len(part), config.fitted_texts // 2), seed=config.seed)
        for part in rows.with_columns(set=pl.col('kind').replace_strict(SETS)).partition_by(
            'set', maintain_order=True
        )
    ]
    return pl.concat(chosen).select('text', 'code', 'set')
