"""Cross references: activities that are classified elsewhere, and where."""

import logging
import re

import polars as pl

from naics_embed.census.channels import one_line
from naics_embed.census.files import CROSS_REFERENCES
from naics_embed.census.normalise import content_id
from naics_embed.census.sources import Source
from naics_embed.census.workbook import checked_codes, read_sheet
from naics_embed.errors import CodeError
from naics_embed.taxonomy import Taxonomy, canonical_code

log = logging.getLogger(__name__)

REDIRECTION_SCHEMA = pl.Schema(
    {
        'id': pl.String(),
        'code': pl.String(),
        'text': pl.String(),
        'phrase': pl.String(),
        'targets': pl.List(pl.String()),
        'also_named': pl.List(pl.String()),
        'lineal': pl.Boolean(),
        'same_code': pl.Boolean(),
    }
)

_CLASSIFIED = re.compile(r'[\s,]*(?:--|—|\s)\s*(?:is|are)\s+(?:\w+\s+)?classified\b')
_UNIT = r'(?:U\.S\.\s+)?(?:Industry|Industries|Industry\s+Groups?|Subsectors?|Sectors?)'
_NUMBER = r'(?:\d{2}-\d{2}|\d{2,6})(?!\d)'
_NAMED_CODES = re.compile(rf'{_UNIT}\s+({_NUMBER}(?:(?:,|\s)\s*(?:and\s+|or\s+)?{_NUMBER})*)')
_STRAY_HEAD = re.compile(rf'^(?:and\s+)?{_UNIT}\s+{_NUMBER}[^;]*;\s*(?:and\s+)?')
# "Government establishments" and the like stay: there the subject is part of the activity.
_SUBJECT = re.compile(
    r'^Establishments?\s+(?:(?:\w+ly\s+)?engaged\s+in\s+|known\s+as\s+|(?=\w+ing\b))', re.IGNORECASE
)


def build_redirections(source: Source, taxonomy: Taxonomy) -> pl.DataFrame:
    """Read the cross references, one row each.

    "Growing X--are classified in Industry 111110, …" on code 111120 redirects the activity
    "Growing X" to 111110. A row may name several targets, or none ("according to the product").

    Returns:
        `REDIRECTION_SCHEMA`, in the order of the file:
        ``id`` derived from code and text; ``code`` of the row; ``text`` as published;
        ``phrase``, the activity without its subject ("Establishments primarily engaged in"), null
        where the row has no such clause; ``targets``, canonical codes in the order named;
        ``also_named``, codes named before the clause, which belong to another row that ran into
        this one; ``lineal``, whether a target is an ancestor or descendant of ``code``;
        ``same_code``, whether a target is ``code``. No rows where the source has no such file.

    Raises:
        SourceError: a row has a code that is not in the taxonomy.
    """
    file = source.files.get(CROSS_REFERENCES)
    if file is None:
        return REDIRECTION_SCHEMA.to_frame()
    workbook = source.workbook(CROSS_REFERENCES)
    frame = read_sheet(file, workbook)
    codes = checked_codes(frame, file, workbook, source.edition.title, taxonomy)
    rows: dict[str, tuple[object, ...]] = {}
    unknown: list[str] = []
    for code, cell in zip(codes, frame['text'], strict=True):
        text = one_line(cell or '')
        if not text:
            continue
        before, after = split_clause(text)
        targets, strange = _in_taxonomy(named_codes(after), taxonomy)
        also_named, strange_before = _in_taxonomy(named_codes(before or ''), taxonomy)
        unknown += strange + strange_before
        phrase = None if before is None else activity_phrase(before)
        at = taxonomy.index(code)
        lineal = any(taxonomy.is_lineal(at, taxonomy.index(target)) for target in targets)
        rows[content_id(code, text)] = (
            *(code, text, phrase, targets),
            *([named for named in also_named if named not in targets], lineal, code in targets),
        )
    if unknown:
        log.warning(
            '%s: %d targets are not among the codes and are dropped (%s)',
            file.path,
            len(unknown),
            ', '.join(unknown[:5]),
        )
    return pl.DataFrame(
        [(key, *row) for key, row in rows.items()], schema=REDIRECTION_SCHEMA, orient='row'
    )


def split_clause(text: str) -> tuple[str | None, str]:
    """Split a row at "are classified": the activity before it, the destination after it.

    A row without the clause gives None and the whole text.
    """
    clause = _CLASSIFIED.search(text)
    if clause is None:
        return None, text
    return text[: clause.start()], text[clause.end() :]


def activity_phrase(before: str) -> str | None:
    """Clean the text before "are classified" into an activity phrase."""
    while (head := _STRAY_HEAD.match(before)) is not None:
        before = before[head.end() :]
    phrase = _SUBJECT.sub('', before).strip(' ,;:-')
    return phrase[:1].upper() + phrase[1:] if phrase else None


def named_codes(text: str) -> list[str]:
    """Return the spellings of the codes that a text names as industries, in order."""
    return [code for listed in _NAMED_CODES.findall(text) for code in re.findall(_NUMBER, listed)]


def _in_taxonomy(spellings: list[str], taxonomy: Taxonomy) -> tuple[list[str], list[str]]:
    """Sort spellings into distinct canonical codes of the taxonomy, and others."""
    valid: dict[str, None] = {}
    strange: list[str] = []
    for spelling in spellings:
        try:
            code = canonical_code(spelling)
        except CodeError:
            strange.append(spelling)
            continue
        if code in taxonomy:
            valid[code] = None
        else:
            strange.append(spelling)
    return list(valid), strange
