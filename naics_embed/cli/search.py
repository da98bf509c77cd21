"""Commands that read a table: search, export."""

import enum
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naics_embed.classifications.names import NAICS2022, classification_name, levels_of
from naics_embed.cli.card import print_card
from naics_embed.cli.coding_options import Prior
from naics_embed.cli.in_use import bundle_or_starter, classification_of, say_starter
from naics_embed.cli.prior import prior_options
from naics_embed.cli.streams import given_texts
from naics_embed.errors import UserError

if TYPE_CHECKING:
    from naics_embed.bundle.storage import Bundle
    from naics_embed.search.coder import Answer
    from naics_embed.search.searcher import Hit

BundleOption = Annotated[
    Path | None, typer.Option('--bundle', help='A bundle; the promoted one by default.')
]
ClassificationOption = Annotated[
    str | None,
    typer.Option(help='Of the codes; that of the bundle by default. `classifications` lists them.'),
]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


class ExportFormat(enum.StrEnum):
    """File formats of ``naics-embed export``."""

    PARQUET = 'parquet'
    CSV = 'csv'
    NPZ = 'npz'
    SAFETENSORS = 'safetensors'
    PROJECTOR = 'projector'
    SENTENCE_TRANSFORMERS = 'sentence-transformers'


FOLDER_FORMATS = (ExportFormat.PROJECTOR, ExportFormat.SENTENCE_TRANSFORMERS)


def search(
    texts: Annotated[
        list[str],
        typer.Argument(
            help='Descriptions of businesses, or codes; - for lines of standard input.',
        ),
    ],
    k: Annotated[int, typer.Option('-k', help='How many codes.')] = 5,
    classification: ClassificationOption = None,
    level: Annotated[
        int | None,
        typer.Option(help='Level of the codes: 2 to 6 digits; 1 to 4 in ISIC, NACE and SIC.'),
    ] = None,
    confidence: Annotated[
        float, typer.Option(help='Least probability of the confident code.')
    ] = 0.8,
    evidence: Annotated[
        int, typer.Option(help='Training texts and matching terms to show for each code.')
    ] = 0,
    distance: Annotated[
        bool, typer.Option('--distance', help='Rank by the distance alone; not calibrated.')
    ] = False,
    ask: Annotated[
        bool,
        typer.Option('--ask', help='Ask the question that helps most, where one does.'),
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(help='Show codes that hold the right one with this probability, such as 0.9.'),
    ] = None,
    prior: Prior = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Find the codes of descriptions; for a code, show what it is and what is like it."""
    from naics_embed.search.options import check_confidence, check_evidence, check_k_and_level

    # Checked before torch is loaded, so that a mistake is said at once.
    name = NAICS2022 if classification is None else classification_name(classification)
    levels = levels_of(name)
    check_k_and_level(k, levels[-1] if level is None else level, levels)
    check_confidence(confidence)
    check_evidence(evidence)
    loading = prior_options(prior)
    texts = given_texts(texts)
    path = bundle_or_starter(bundle)
    own = classification_of(path)
    name = own if classification is None else name
    if distance and name != own:
        raise UserError(f'--distance ranks codes of {own} only, not of {name}')
    from naics_embed.search.code_lookup import check_codes, looks_like_code

    codes = [text for text in texts if looks_like_code(text)] if name == own else []
    check_codes(path, codes)
    from naics_embed.search.card import card_of
    from naics_embed.search.code_table import CodeTable

    table = CodeTable.load(path) if codes else None
    cards = {code: card_of(table, code, k) for code in codes} if table is not None else {}
    found = iter(
        _answers(
            [text for text in texts if text not in cards],
            path,
            k,
            level,
            confidence,
            evidence,
            distance=distance,
            ask=ask,
            coverage=coverage,
            terminal=ask and not as_json and sys.stdin.isatty(),
            classification=None if name == own else name,
            loading=loading,
        )
    )
    results: list[Any] = [cards.get(text) or next(found) for text in texts]
    say_starter(path)
    if as_json:
        _print_json([_content(text, one) for text, one in zip(texts, results, strict=True)])
        return
    for text, one in zip(texts, results, strict=True):
        if isinstance(one, list):
            _print_hits(text, one)
        elif text in cards:
            print_card(cards[text])
        else:
            _print_answer(one)
            if ask or coverage is not None:
                from naics_embed.cli.questions import print_more

                print_more(one)


def _answers(
    texts: list[str],
    path: Path,
    k: int,
    level: int | None,
    confidence: float,
    evidence: int,
    *,
    distance: bool,
    ask: bool,
    coverage: float | None,
    terminal: bool,
    classification: str | None,
    loading: dict[str, Any],
) -> 'Sequence[Answer | list[Hit]]':
    """Return answers of the coder, or hits by distance alone; questions are put on a terminal."""
    from naics_embed.bundle.storage import CODER

    if not texts:
        return []
    if not distance and (path / CODER).is_dir():
        from naics_embed.search.coder import Coder

        coder = Coder.load(path, **loading)
        options: dict[str, Any] = {
            'k': k,
            'level': level,
            'classification': classification,
            'confidence': confidence,
            'evidence': evidence,
            'ask': ask,
            'wanted': ask,
            'coverage': coverage,
        }
        found = coder.search(texts, **options)
        if terminal:
            from naics_embed.cli.questions import put_questions

            return [put_questions(coder, answer, options) for answer in found]
        return found
    if ask or coverage is not None or loading:
        raise UserError(
            '--ask, --coverage and --prior need a bundle with a coder, and no --distance: '
            'distances have no calibrated probabilities'
        )
    if classification is not None:
        raise UserError(f'bundle {path} has no coder, which codes of {classification} need')
    from naics_embed.search.searcher import Searcher
    from naics_embed.taxonomy import LEAF_LEVEL

    return Searcher.load(path).search(texts, k=k, level=LEAF_LEVEL if level is None else level)


def _content(text: str, result: Any) -> dict[str, Any]:
    """Return an answer of the coder, hits by distance, or a card of a code as JSON values."""
    from naics_embed.search.card import CodeCard

    if isinstance(result, list):
        return {'text': text, 'hits': [asdict(hit) for hit in result]}
    if isinstance(result, CodeCard):
        return {'text': text, 'code': asdict(result)}
    return asdict(result) | {'status': result.status}


def export(
    out: Annotated[Path, typer.Option('-o', '--out', help='File or folder to write.')],
    file_format: Annotated[
        ExportFormat | None, typer.Option('--format', help='File format; by default, as -o ends.')
    ] = None,
    bundle: BundleOption = None,
) -> None:
    """Write codes and coordinates for other tools; the manifest is written beside them."""
    from polars.exceptions import ComputeError

    chosen = file_format or _format_of(out)
    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    if chosen in FOLDER_FORMATS and out.exists():
        raise UserError(f'{out} exists; name a new folder for {chosen}')
    if out.is_dir():
        raise UserError(f'{out} is a folder; name a file to write')
    loaded = _load(bundle)
    try:
        _export(loaded, chosen, out)
    except (OSError, ComputeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(
            f'{out} could not be written: {reason}; free some space, or name another file with -o'
        ) from error


def _export(bundle: 'Bundle', chosen: ExportFormat, out: Path) -> None:
    if chosen is ExportFormat.SENTENCE_TRANSFORMERS:
        from naics_embed.export.sentence_transformer import export_sentence_transformer

        export_sentence_transformer(bundle, out)
        typer.echo(f'the encoder written to {out}', err=True)
        return
    from naics_embed.export.table import TABLE_FORMATS

    TABLE_FORMATS[chosen.value](bundle, out)
    typer.echo(f'{bundle.manifest["codes"]:,} codes written to {out}', err=True)


def _format_of(out: Path) -> ExportFormat:
    ending = out.suffix.removeprefix('.').lower()
    if ending not in set(ExportFormat) - set(FOLDER_FORMATS):
        raise UserError(f'{out} has no known ending; give --format {", ".join(ExportFormat)}')
    return ExportFormat(ending)


def _load(bundle: Path | None) -> 'Bundle':
    path = bundle_or_starter(bundle)
    say_starter(path)
    from naics_embed.bundle.storage import Bundle

    return Bundle.load(path)


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + '\n')


def _print_answer(answer: 'Answer') -> None:
    from rich.console import Console

    from naics_embed.search.status import COARSER, CODED, SAYS_NOTHING

    console = Console(highlight=False, markup=False, emoji=False)
    if answer.status not in (CODED, COARSER):
        # No ranking: its probabilities would be read as an answer.
        why = (
            'it names no activity'
            if answer.status == SAYS_NOTHING
            else f'not even a sector has {answer.confidence:.0%}'
        )
        lines = [f'{answer.text}', f'not enough said: {why}; say what is made, sold or done']
        if answer.status != SAYS_NOTHING:
            lines.append('perhaps: ' + '; '.join(f'{h.official} {h.title}' for h in answer.hits))
        console.print('\n'.join(lines) + '\n')
        return
    _print_hits(answer.text, answer.hits)
    lines = [
        f'  {hit.official}: ' + '; '.join(text for text, _ in evidence.texts)
        for hit, evidence in zip(answer.hits, answer.evidence, strict=False)
        if evidence.texts
    ]
    if answer.confident is not None:
        code = answer.confident
        named = f'{code.official} {code.title} ({code.probability:.0%})'
        lines.append(
            f'sure: {named}'
            if answer.status == CODED
            else f'sure of the group: {named}; choose among the codes above'
        )
    console.print('\n'.join(lines) + '\n')


def _print_hits(text: str, hits: 'Iterable[Hit]') -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=text, title_justify='left', box=None, pad_edge=False)
    table.add_column('code')
    table.add_column('title', ratio=1)
    table.add_column('distance', justify='right')
    table.add_column('probability', justify='right')
    for hit in hits:
        table.add_row(hit.official, hit.title, f'{hit.distance:.2f}', f'{hit.probability:.2f}')
    # A text in brackets is a text, not markup.
    Console(highlight=False, markup=False, emoji=False).print(table)
