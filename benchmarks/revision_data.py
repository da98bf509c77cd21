"""What the revision of 2022 changed, and the texts by which placements are measured."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from naics_embed.census.edition import read_edition
from naics_embed.census.index_entries import read_index
from naics_embed.census.request import HttpSettings
from naics_embed.census.sources import acquire
from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance
from naics_embed.data.plain_language import plain_language
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

BEFORE, AFTER = 'naics2017', 'naics2022'
INDEX = 'index'
OWN = ('plain', 'panel', 'business')
"""Kinds of the project's own texts that have a six-digit code."""


@dataclass(frozen=True, eq=False)
class Revision:
    """A revision, with positions of its later codes.

    Attributes:
        before: the earlier tree.
        after: the later tree.
        titles: of the later codes.
        links: from later to earlier codes, with equal fractions.
        earlier: int64 ``(n,)``, position of the same code in the earlier tree; −1 for a new one.
        unchanged: bool ``(n,)``, six-digit codes that are one code in both, with the same content.
        queries: ``text``, ``code`` (later), ``kind`` and ``split`` (validation or test). No text of
            them is in the training of the earlier edition.
    """

    before: Taxonomy
    after: Taxonomy
    titles: list[str]
    links: Concordance
    earlier: Tensor
    unchanged: Tensor
    queries: pl.DataFrame

    @property
    def new(self) -> Tensor:
        """bool ``(n,)``: codes that the earlier edition lacks."""
        return self.earlier < 0

    @property
    def level(self) -> Tensor:
        """int64 ``(n,)``: digits of the later codes."""
        return torch.from_numpy(self.after.level.astype(np.int64))

    @property
    def leaves(self) -> Tensor:
        """Positions of the later six-digit codes, ascending."""
        return torch.from_numpy(self.after.at_level(LEAF_LEVEL))

    def carried(self, table: Tensor) -> Tensor:
        """Return the rows ``(n, …)`` of an earlier table for the later codes; 0 for new ones."""
        rows = table[self.earlier.clamp_min(0)].clone()
        rows[self.new] = 0
        return rows


def revision(census: Path | None) -> Revision:
    """Read both editions and the texts with later codes.

    Args:
        census: folder with the workbooks of the later edition, whose index entries of new codes are
            test queries too; None without.
    """
    earlier, later = Classification.load(BEFORE), Classification.load(AFTER)
    before, after = Taxonomy(earlier.codes), Taxonomy(later.codes)
    titles = dict(zip(later.codes, later.titles, strict=True))
    back, forth = Concordance(AFTER, BEFORE), Concordance(BEFORE, AFTER)
    known = {code: i for i, code in enumerate(before.codes)}
    same = [
        code in known
        and len(code) == LEAF_LEVEL
        and back.targets(code) == [code]
        and forth.targets(code) == [code]
        for code in after.codes
    ]
    held = plain_language().filter(
        pl.col('kind').is_in(OWN)
        & (pl.col('split') != 'train')
        & (pl.col('code').str.len_chars() == LEAF_LEVEL)
    )
    queries = [held.select('text', 'code', 'kind', 'split')]
    if census is not None:
        entries = _index_entries(census, after).filter(~pl.col('code').is_in(list(known)))
        queries.append(entries.select('text', 'code', kind=pl.lit(INDEX), split=pl.lit('test')))
    return Revision(
        before,
        after,
        [titles[code] for code in after.codes],
        back,
        torch.tensor([known.get(code, -1) for code in after.codes]),
        torch.tensor(same),
        pl.concat(queries),
    )


def _index_entries(folder: Path, taxonomy: Taxonomy) -> pl.DataFrame:
    source = acquire(
        'folder',
        folder=folder,
        cache_dir=folder,
        settings=HttpSettings(),
        edition=read_edition(AFTER),
    )
    return read_index(source, taxonomy)


@dataclass(frozen=True)
class Counts:
    """How much the revision changed.

    Attributes:
        new: new codes of all levels.
        new_industries: of six digits.
        unchanged: six-digit codes that stayed.
        predecessors: mean predecessors of a new six-digit code.
    """

    new: int
    new_industries: int
    unchanged: int
    predecessors: float

    @classmethod
    def of(cls, one: Revision) -> 'Counts':
        """Count."""
        codes = [one.after.codes[i] for i in one.leaves.tolist() if one.new[i]]
        return cls(
            int(one.new.sum()),
            len(codes),
            int(one.unchanged.sum()),
            float(np.mean([len(one.links.targets(code)) for code in codes])),
        )

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
