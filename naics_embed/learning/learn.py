"""Learning from Python: texts and codes in, a coder out that knows them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from naics_embed.config.learning import LearnSettings
from naics_embed.learning.derive import derive_bundle
from naics_embed.learning.labelled import label_texts
from naics_embed.learning.outcome import Outcome
from naics_embed.learning.sources import LabelSource
from naics_embed.search.code_values import AUTO
from naics_embed.search.coder import Coder
from naics_embed.search.given_texts import as_texts

log = logging.getLogger(__name__)


def learn(
    coder: Coder,
    texts: Sequence[str],
    codes: Iterable[Any],
    *,
    groups: Iterable[Any] | None = None,
    name: str = 'labels',
    private: bool = False,
    out: Path | str,
    vintage: int | str = AUTO,
    max_unknown: float = 0.1,
    settings: LearnSettings | None = None,
    progress: Callable[[str], None] = log.info,
) -> tuple[Coder, Outcome]:
    """Derive a bundle that knows labelled texts, and load it; see `derive_bundle`.

    Args:
        coder: of the bundle to start from, which stays as it is.
        texts: descriptions: a list, or a column of numpy, pandas, polars or Arrow.
        codes: code of each.
        groups: group of each, such as its firm; None where each text stands alone.
        name: by which the texts can be replaced and taken out again.
        private: whether no text is kept, only what scoring needs.
        out: directory of the new bundle; an existing bundle there is replaced.
        vintage: of the codes.
        max_unknown: largest fraction of codes that may be unknown.
        settings: how; the defaults where None.
        progress: called with a line at each step.

    Returns:
        the coder of the new bundle, and what has changed.

    Raises:
        UserError: the columns have different lengths, too many codes are unknown, or there are too
            few texts.
        ArtifactError: see `derive_bundle`.
    """
    labelled = label_texts(
        as_texts(texts),
        codes,
        coder.searcher.codes,
        groups=groups,
        vintage=vintage,
        max_unknown=max_unknown,
    )
    outcome = derive_bundle(
        coder,
        Path(out),
        add=[LabelSource(name, labelled, private)],
        settings=settings,
        progress=progress,
    )
    return Coder.load(out, verify=False, precision=coder.precision), outcome
