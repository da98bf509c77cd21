"""The codebook: every code with the texts of its channels."""

import logging
from collections import defaultdict

import polars as pl

from naics_embed.census.channels import Description, clean_title, one_line, parse_description
from naics_embed.census.files import CODES, CROSS_REFERENCES, DESCRIPTIONS
from naics_embed.census.sources import Source, package_titles
from naics_embed.census.workbook import ROW, checked_codes, read_sheet
from naics_embed.errors import CodeError, SourceError
from naics_embed.taxonomy import Taxonomy, canonical_code, official_code

log = logging.getLogger(__name__)

OWN, POINTER, ONLY_CHILD, ABSENT = 'own', 'pointer', 'only child', 'absent'
ORIGINS = (OWN, POINTER, ONLY_CHILD, ABSENT)

CODEBOOK_SCHEMA = pl.Schema(
    {
        'code': pl.String(),
        'official': pl.String(),
        'level': pl.Int8(),
        'parent': pl.String(),
        'vintage': pl.Int16(),
        'title': pl.String(),
        'description': pl.String(),
        'description_origin': pl.String(),
        'illustrative': pl.String(),
        'excluded': pl.String(),
    }
)


def build_codebook(source: Source) -> pl.DataFrame:
    """Read codes, titles, descriptions and exclusion texts into one table.

    A description that only points to another code takes that code's text. A code without text
    takes the text of its only child; with several children it stays null. Illustrative examples
    follow the description that they belong to. Exclusion texts are a code's own rows only. No
    channel ever holds a placeholder.

    Returns:
        `CODEBOOK_SCHEMA`, one row a code, in the order of `Taxonomy`: canonical code, official
        spelling, digits, parent (null for a sector), vintage, title, description (paragraphs on
        lines), where it came from (one of `ORIGINS`), illustrative examples (one a line), and
        the distinct cross references (one a line). An absent text is null.

    Raises:
        SourceError: a workbook has the wrong structure, a code that does not belong, a repeated
            code, a code without a title, or a pointer that leads nowhere.
    """
    titles = _read_titles(source)
    taxonomy = _taxonomy(source, titles)
    descriptions = _read_descriptions(source, taxonomy, titles)
    exclusions = _read_exclusions(source, taxonomy)
    resolved = [_resolve(code, taxonomy, descriptions, (), source) for code in taxonomy.codes]
    parents = [taxonomy.codes[i] if i >= 0 else None for i in taxonomy.parent]
    codebook = pl.DataFrame(
        {
            'code': taxonomy.codes,
            'official': [official_code(code) for code in taxonomy.codes],
            'level': taxonomy.level,
            'parent': parents,
            'vintage': [source.edition.vintage] * len(taxonomy),
            'title': [titles[code] for code in taxonomy.codes],
            'description': [description.text for _, description in resolved],
            'description_origin': [origin for origin, _ in resolved],
            'illustrative': [description.illustrative for _, description in resolved],
            'excluded': [exclusions.get(code) for code in taxonomy.codes],
        },
        schema=CODEBOOK_SCHEMA,
    )
    counts = ', '.join(f'{sum(o == origin for o, _ in resolved):,} {origin}' for origin in ORIGINS)
    log.info('%s codes; descriptions: %s', f'{len(codebook):,}', counts)
    return codebook


def read_taxonomy(source: Source) -> Taxonomy:
    """Build the tree from the codes of a source. Raises SourceError like `build_codebook`."""
    return _taxonomy(source, _read_titles(source))


def _read_titles(source: Source) -> dict[str, str]:
    """Return canonical code → title."""
    if source.kind == 'package':
        titles = package_titles(source.edition)
        return {canonical_code(code): clean_title(title) for code, title in titles.items()}
    file, workbook = source.files[CODES], source.workbook(CODES)
    frame = read_sheet(file, workbook)
    codes = checked_codes(frame, file, workbook, source.edition.title)
    titles = {}
    for code, row, cell in zip(codes, frame[ROW], frame['title'], strict=True):
        title = clean_title(cell or '')
        if not title:
            raise SourceError(f'{file.path}, row {row}: code {code} has no title')
        if code in titles:
            raise SourceError(f'{file.path}, row {row}: code {code} is listed a second time')
        titles[code] = title
    if not titles:
        raise SourceError(f'{file.path} holds no codes; use the file published at {workbook.url}')
    return titles


def _taxonomy(source: Source, titles: dict[str, str]) -> Taxonomy:
    try:
        return Taxonomy(titles)
    except CodeError as error:
        raise SourceError(f'{source.files[CODES].path}: {error}') from error


def _read_descriptions(
    source: Source, taxonomy: Taxonomy, titles: dict[str, str]
) -> dict[str, Description]:
    file = source.files.get(DESCRIPTIONS)
    if file is None:
        return {}
    workbook = source.workbook(DESCRIPTIONS)
    frame = read_sheet(file, workbook)
    descriptions: dict[str, Description] = {}
    differing: list[str] = []
    columns = frame.select(ROW, 'title', 'description').iter_rows()
    codes = checked_codes(frame, file, workbook, source.edition.title, taxonomy)
    for code, (row, title, cell) in zip(codes, columns, strict=True):
        if code in descriptions:
            raise SourceError(f'{file.path}, row {row}: code {code} is listed a second time')
        description = parse_description(cell)
        if description.pointer is not None and description.pointer not in taxonomy:
            raise SourceError(
                f'{file.path}, row {row}: the description of {code} points to '
                f'{description.pointer}, which is not among the codes'
            )
        descriptions[code] = description
        if clean_title(title or '') != titles[code]:
            differing.append(code)
    if differing:
        log.warning(
            '%s: %d titles differ from those of the codes workbook, which are kept (%s): the two '
            'may be of different editions',
            file.path,
            len(differing),
            ', '.join(differing[:5]),
        )
    return descriptions


def _resolve(
    code: str,
    taxonomy: Taxonomy,
    descriptions: dict[str, Description],
    seen: tuple[str, ...],
    source: Source,
) -> tuple[str, Description]:
    """Return the origin of a code's description and the description."""
    if code in seen:
        raise SourceError(
            f'the descriptions of {" and ".join(seen)} only point to each other; '
            f'use the file published at {source.workbook(DESCRIPTIONS).url}'
        )
    description = descriptions.get(code, Description(None, None, None))
    if description.text is not None:
        return OWN, description
    children = taxonomy.children[taxonomy.index(code)]
    if description.pointer is not None:
        origin, heir = POINTER, description.pointer
    elif len(children) == 1:
        origin, heir = ONLY_CHILD, taxonomy.codes[children[0]]
    else:
        return ABSENT, description
    _, inherited = _resolve(heir, taxonomy, descriptions, (*seen, code), source)
    return (ABSENT, description) if inherited.text is None else (origin, inherited)


def _read_exclusions(source: Source, taxonomy: Taxonomy) -> dict[str, str]:
    """Return canonical code → its distinct cross references, one a line."""
    file = source.files.get(CROSS_REFERENCES)
    if file is None:
        return {}
    workbook = source.workbook(CROSS_REFERENCES)
    frame = read_sheet(file, workbook)
    rows: defaultdict[str, dict[str, None]] = defaultdict(dict)
    codes = checked_codes(frame, file, workbook, source.edition.title, taxonomy)
    for code, cell in zip(codes, frame['text'], strict=True):
        text = one_line((cell or '').replace('--', ' '))
        if text:
            rows[code][text] = None
    return {code: '\n'.join(texts) for code, texts in rows.items()}
