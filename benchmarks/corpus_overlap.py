"""How much of the project's own texts stands in the Census workbooks.

Texts are compared in their normal form (lower case, letters and digits, single blanks). A row is
*equal* to an index entry, or *contained* as whole words in any text of the workbooks: titles,
descriptions, illustrative examples, cross references, index entries. Short names of trades are
unavoidable; the aim is fewer than 3 in 100 rows equal to an index entry.

    python -m benchmarks.corpus_overlap ../shared/census --json overlap.json
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from naics_embed.census.codebook import build_codebook, read_taxonomy
from naics_embed.census.index_entries import read_index
from naics_embed.census.normalise import normalise
from naics_embed.census.redirections import build_redirections
from naics_embed.census.sources import Source, acquire
from naics_embed.config.load import load_config
from naics_embed.data.plain_language import plain_language
from naics_embed.supervision.leakage import find_matches

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
AIM = 0.03
SETS = {'plain': 'corpus', 'panel': 'panel'}


@dataclass(frozen=True)
class CensusTexts:
    """What the project's texts are compared with.

    Attributes:
        entries: normal form of each index entry → its codes.
        texts: every text of the workbooks.
    """

    entries: dict[str, set[str]]
    texts: list[str]


def census_texts(source: Source) -> CensusTexts:
    """Collect the texts of the workbooks; the index and the cross references may be missing."""
    taxonomy = read_taxonomy(source)
    codebook = build_codebook(source)
    index = read_index(source, taxonomy)
    redirections = build_redirections(source, taxonomy)
    entries: dict[str, set[str]] = {}
    for code, normal in index.select('code', 'normalised').iter_rows():
        entries.setdefault(normal, set()).add(code)
    columns = [codebook[name] for name in ('title', 'description', 'illustrative', 'excluded')]
    texts = pl.concat([*columns, redirections['phrase'], index['text']]).drop_nulls()
    return CensusTexts(entries, texts.unique(maintain_order=True).to_list())


def compare(rows: pl.DataFrame, census: CensusTexts, jaccard: float) -> pl.DataFrame:
    """Return the rows with ``equal``, ``same_code`` and ``contained`` or nearly contained."""
    normal = [normalise(text) for text in rows['text']]
    codes = [census.entries.get(text, set()) for text in normal]
    return rows.with_columns(
        equal=pl.Series([bool(found) for found in codes], dtype=pl.Boolean),
        same_code=pl.Series(
            [code in found for code, found in zip(rows['code'], codes, strict=True)],
            dtype=pl.Boolean,
        ),
        contained=pl.Series(find_matches(rows['text'].to_list(), census.texts, jaccard)),
    )


def summary(compared: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one record for each set, and for each style and split of the corpus."""
    parts = {name: compared.filter(pl.col('kind') == kind) for kind, name in SETS.items()}
    corpus = parts['corpus']
    for column in ('split', 'style'):
        for value in corpus[column].unique(maintain_order=True):
            parts[f'corpus, {column} {value}'] = corpus.filter(pl.col(column) == value)
    return [
        {
            'rows': name,
            'count': len(part),
            'equal': int(part['equal'].sum()),
            'equal_share': part['equal'].mean() or 0.0,
            'contained': int(part['contained'].sum()),
            'contained_share': part['contained'].mean() or 0.0,
        }
        for name, part in parts.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='directory of the four Census workbooks')
    parser.add_argument('--json', type=Path, help='write metrics and rows here')
    options = parser.parse_args()
    console = Console()

    data = load_config(CONFIGS).config.data
    source = acquire(
        'folder', folder=options.folder, cache_dir=Path(data.cache), settings=data.http
    )
    compared = compare(plain_language(), census_texts(source), data.roles.jaccard)
    records = summary(compared)

    table = Table(
        'rows',
        'count',
        'equal to an index entry',
        'contained in a Census text',
        title='Own texts in the Census workbooks',
    )
    for record in records:
        table.add_row(
            record['rows'],
            f'{record["count"]:,}',
            f'{record["equal"]} ({record["equal_share"]:.2%})',
            f'{record["contained"]} ({record["contained_share"]:.2%})',
        )
    table.add_section()
    table.add_row('aim', '', f'< {AIM:.0%}', '')
    console.print(table)

    listed = compared.filter(pl.col('equal') | pl.col('contained')).sort(
        'kind', 'equal', 'code', descending=[True, True, False]
    )
    for row in listed.iter_rows(named=True):
        what = 'equal' if row['equal'] else 'contained'
        other = '' if row['same_code'] or not row['equal'] else ' (of another code)'
        console.print(
            f'{what}{other}  {row["id"]}  {row["code"]}  {row["split"]}  {row["text"]}',
            markup=False,
            highlight=False,
        )

    if options.json:
        columns = ('id', 'kind', 'code', 'split', 'style', 'text', 'equal', 'same_code')
        report = {
            'aim': AIM,
            'jaccard': data.roles.jaccard,
            'metrics': records,
            'rows': listed.select(*columns, 'contained').to_dicts(),
        }
        partial = options.json.with_suffix('.partial')
        partial.write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')
        partial.replace(options.json)


if __name__ == '__main__':
    main()
