"""The project's own texts, under the codes of the edition that a run is about."""

from typing import Any

import polars as pl

from naics_embed.census.edition import TEXTS_OF, NaicsEdition
from naics_embed.classifications.concordance import Concordance
from naics_embed.data.plain_language import plain_language
from naics_embed.supervision.carried import carried_texts


def own_texts(
    edition: dict[str, Any], codebook: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the texts and, for another edition than theirs, how their codes were carried over."""
    of = NaicsEdition.from_dict(edition)
    texts = plain_language()
    if of.name == TEXTS_OF:
        return texts, {}
    targets: dict[str, list[str]] = {}
    if of.concordance:
        for old, new in of.concordance:
            targets.setdefault(old, []).append(new)
    else:
        concordance = Concordance(2022, of.vintage)
        known = set(concordance.sources.codes)
        codes = [code for code in texts['code'].unique() if code in known]
        targets = {code: concordance.targets(code) for code in codes}
    titles = dict(codebook.select('code', 'title').iter_rows())
    carried, counts = carried_texts(texts, targets, titles)
    return carried, {f'own_texts_{kind}': count for kind, count in counts.items()}
