"""Labelled texts for the tiny bundle."""

from collections.abc import Sequence
from typing import Any

from naics_embed.learning.labelled import label_texts
from naics_embed.learning.sources import LabelSource
from naics_embed.search.coder import Coder

KINDS = {
    '541940': 'animal doctor',
    '812112': 'hair salon',
    '722511': 'seated restaurant',
    '484121': 'long truck loads',
    '238220': 'pipes and boilers',
}
PLACES = (
    *('north', 'south', 'harbour', 'hill', 'river', 'market', 'station', 'bridge', 'castle'),
    *('garden', 'forest', 'valley'),
)


def ways(count: int = len(PLACES)) -> tuple[list[str], list[str]]:
    """Texts that no title is like, and their codes, some for each of `KINDS`."""
    pairs = [
        (f'{text} near the {place} {i}', code)
        for i, place in enumerate(PLACES[:count])
        for code, text in KINDS.items()
    ]
    return [text for text, _ in pairs], [code for _, code in pairs]


def source_of(
    coder: Coder,
    texts: Sequence[str],
    codes: Sequence[Any],
    *,
    name: str = 'ours',
    private: bool = False,
    groups: Sequence[Any] | None = None,
) -> LabelSource:
    """Labelled texts, ready to be learned."""
    labelled = label_texts(texts, codes, coder.searcher.codes, groups=groups)
    return LabelSource(name, labelled, private)
