"""How sharply texts should vote for counterparts: the factor on cosines in fractions by text.

A text with a known code of NAICS 2022 is taken for a text of the class that the code belongs to as
a whole. Among the codes of that class it should vote for its own, so the factor is the one under
which votes are likeliest: a softmax of the greatest cosine with the known texts of each code, as in
`naics_embed.search.text_fractions`. The factor is chosen on validation texts; test texts are read
once.

    python -m benchmarks.fractions --bundle BUNDLE --json fractions.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.classifications.concordance import concordance
from naics_embed.classifications.names import NAICS2022
from naics_embed.data.plain_language import plain_language
from naics_embed.search.coder import Coder
from naics_embed.search.text_fractions import SHARPNESS, TextParts

SOURCES = ('isic4', 'nace21', 'sic1987', 'naics2017')
FACTORS = (1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 60.0)
KINDS = ('plain', 'business')
BATCH = 1024


def counterparts_of(source: str) -> dict[str, list[str]]:
    """Return code of NAICS 2022 → all codes of the one class that it belongs to as a whole."""
    there, back = concordance(NAICS2022, source), concordance(source, NAICS2022)
    found: dict[str, list[str]] = {}
    for code in there.codes:
        if code in there.without or len(there.targets(code)) != 1:
            continue
        [own] = there.targets(code)
        several = back.targets(own)
        if len(several) > 1:
            found[code] = several
    return found


def greatest(coder: Coder, embeddings: np.ndarray) -> np.ndarray:
    """Return the greatest cosine of texts with the texts of each code, ``(texts, leaves)``."""
    rule = TextParts.of_coder(coder)
    result = np.empty((len(embeddings), len(coder.leaf_codes)))
    rule.prepare([NAICS2022])
    for column, code in enumerate(coder.leaf_codes):
        result[:, column] = (embeddings @ rule.vectors(NAICS2022, code).T).max(axis=1)
    return result


def scored(
    near: np.ndarray, codes: Sequence[str], leaves: Sequence[str], source: str, factor: float
) -> dict[str, float]:
    """Return log loss and accuracy of votes, and the log loss of equal parts.

    Args:
        near: ``(texts, leaves)``, greatest cosines.
        codes: of the texts.
        leaves: codes of the columns.
        source: classification whose classes the texts are taken for texts of.
        factor: on the cosines.
    """
    column = {code: i for i, code in enumerate(leaves)}
    losses, equal, hits = [], [], []
    several = counterparts_of(source)
    for row, code in enumerate(codes):
        if code not in several:
            continue
        columns = [column[one] for one in several[code]]
        logits = factor * near[row, columns]
        right = several[code].index(code)
        losses.append(np.logaddexp.reduce(logits) - logits[right])
        equal.append(np.log(len(columns)))
        hits.append(logits.argmax() == right)
    return {
        'texts': float(len(losses)),
        'log_loss': float(np.mean(losses)),
        'equal_log_loss': float(np.mean(equal)),
        'accuracy': float(np.mean(hits)),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--limit', type=int, default=1500, help='texts of each split, drawn once')
    parser.add_argument('--json', type=Path, help='file to write')
    options = parser.parse_args()
    coder = Coder.load(options.bundle)
    leaves = list(coder.leaf_codes)
    texts = plain_language().filter(pl.col('kind').is_in(KINDS) & pl.col('code').is_in(leaves))
    near, codes = {}, {}
    for split in ('validation', 'test'):
        chosen = texts.filter(pl.col('split') == split)
        chosen = chosen.sample(min(options.limit, len(chosen)), seed=0)
        codes[split] = chosen['code'].to_list()
        embeddings = coder.encoder.embed(chosen['text'].to_list(), BATCH)[1].numpy()
        near[split] = greatest(coder, embeddings)
    table = Table('factor', *SOURCES, title='log loss of votes, validation')
    losses: dict[float, dict[str, float]] = {}
    for factor in FACTORS:
        losses[factor] = {
            source: scored(near['validation'], codes['validation'], leaves, source, factor)[
                'log_loss'
            ]
            for source in SOURCES
        }
        table.add_row(f'{factor:g}', *(f'{loss:.4f}' for loss in losses[factor].values()))
    best = min(FACTORS, key=lambda factor: sum(losses[factor].values()))
    result: dict[str, Any] = {
        'factor': best,
        'validation': {f'{factor:g}': found for factor, found in losses.items()},
        'test': {
            f'{factor:g}': {
                source: scored(near['test'], codes['test'], leaves, source, factor)
                for source in SOURCES
            }
            for factor in dict.fromkeys((SHARPNESS, best))
        },
    }
    console = Console(highlight=False)
    console.print(table)
    for factor, found in result['test'].items():
        for source, each in found.items():
            console.print(
                f'test, factor {factor}, {source}: {each["texts"]:.0f} texts, log loss '
                f'{each["log_loss"]:.4f} (equal parts {each["equal_log_loss"]:.4f}), the likeliest '
                f'is right {each["accuracy"]:.4f}'
            )
    if options.json is not None:
        write_json(options.json, result)


if __name__ == '__main__':
    main()
