"""Labelled texts that a bundle learns, or has learned, under names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from naics_embed.bundle.provenance import LEARNED as LEARNED
from naics_embed.bundle.storage import CODER
from naics_embed.errors import ArtifactError, UserError
from naics_embed.learning.examples import columns_of_codes
from naics_embed.learning.labelled import LabelledTexts
from naics_embed.search.coder import Coder
from naics_embed.search.storage import TEXTS


@dataclass(frozen=True)
class LabelSource:
    """Labelled texts to learn, under a name.

    Attributes:
        name: by which they can be taken out again.
        labelled: the texts.
        private: whether no text is kept, only what scoring needs.

    Raises:
        UserError: the name cannot be shown.
    """

    name: str
    labelled: LabelledTexts
    private: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or '|' in self.name:
            raise UserError(
                f'{self.name!r} cannot be the name of a source; use letters, digits and hyphens'
            )


@dataclass(frozen=True)
class SourceTexts:
    """One-label texts of all sources, those of the bundle before the new ones.

    Attributes:
        texts: n texts.
        codes: int64 ``(n,)``, columns of their codes.
        groups: group of each; None where it has none.
        source: name of the source of each.
        private: bool ``(n,)``.
        rows: int64 ``(n,)``, row of each in its file, from 1; 0 for one that the bundle held.
    """

    texts: list[str]
    codes: np.ndarray
    groups: list[str | None]
    source: list[str]
    private: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def kept_groups(self) -> list[str | None]:
        """Groups as the bundle may keep them: not those of private texts."""
        pairs = zip(self.groups, self.private.tolist(), strict=True)
        return [None if private else group for group, private in pairs]


def learned_sources(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a bundle has learned: ``name``, ``rows``, ``codes``, ``private``, ``learned``."""
    return list(manifest.get(LEARNED, ()))


def kept_sources(
    before: Sequence[dict[str, Any]], add: Sequence[LabelSource], remove: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the records of sources that stay as they are.

    Args:
        before: records of the bundle.
        add: sources that are added, or take the place of one of the same name.
        remove: names of those that are taken out.

    Raises:
        UserError: a name is unknown or given twice.
        ArtifactError: texts are needed again that are private, and not given again.
    """
    names = [source.name for source in add]
    unknown = [name for name in remove if name not in [each['name'] for each in before]]
    if unknown:
        has = ', '.join(each['name'] for each in before) or 'none'
        raise UserError(f'the bundle has learned no source {unknown[0]!r}; it has: {has}')
    if len(set(names)) < len(names):
        raise UserError(f'two sources have one name ({", ".join(sorted(names))}); name each once')
    kept = [each for each in before if each['name'] not in (*remove, *names)]
    lost = [each['name'] for each in kept if each['private']]
    if lost:
        raise ArtifactError(
            f'the texts of {", ".join(lost)} are private, so the bundle does not hold them; give '
            'their file again beside the others, or take them out too'
        )
    return kept


def gather(coder: Coder, kept: Sequence[dict[str, Any]], add: Sequence[LabelSource]) -> SourceTexts:
    """Return the texts of all sources that have exactly one six-digit code."""
    texts: list[str] = []
    codes: list[int] = []
    groups: list[str | None] = []
    source: list[str] = []
    private: list[bool] = []
    rows: list[int] = []
    if kept:
        column = columns_of_codes(coder)
        table = pl.read_parquet(coder.searcher.bundle.path / CODER / TEXTS)
        of_kept = table.filter(pl.col('source').is_in([each['name'] for each in kept]))
        texts += of_kept['text'].to_list()
        codes += [column[code] for code in of_kept['code']]
        groups += of_kept['group'].to_list()
        source += of_kept['source'].to_list()
        private += [False] * len(of_kept)
        rows += [0] * len(of_kept)
    for each in add:
        labels = each.labelled.labels
        chosen = np.flatnonzero(labels >= 0)
        texts += [each.labelled.texts[i] for i in chosen.tolist()]
        codes += labels[chosen].tolist()
        named = (each.labelled.groups[i] for i in chosen.tolist())
        groups += [None if group is None else f'{each.name}/{group}' for group in named]
        source += [each.name] * len(chosen)
        private += [each.private] * len(chosen)
        rows += each.labelled.rows[chosen].tolist()
    return SourceTexts(
        texts,
        np.array(codes, dtype=np.int64),
        groups,
        source,
        np.array(private, dtype=bool),
        np.array(rows, dtype=np.int64),
    )


def record_of(source: LabelSource) -> dict[str, Any]:
    """Return the record of a source for the manifest."""
    labels = source.labelled.labels
    used = labels[labels >= 0]
    left_out = {
        **source.labelled.left_out,
        'no single six-digit code': int((labels < 0).sum()),
    }
    return {
        'name': source.name,
        'rows': len(used),
        'codes': len(np.unique(used)),
        'private': source.private,
        'left_out': {reason: count for reason, count in left_out.items() if count},
        'learned': datetime.now(UTC).isoformat(timespec='seconds'),
    }
