"""The texts of a code, without the markup of the publication."""

import html
import re
from dataclasses import dataclass

from naics_embed.taxonomy import canonical_code

_TITLE_MARKER = re.compile(r'(?<=[a-z)])T$')
_TAG = re.compile(r'</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>')
_SECTOR_HEADING = re.compile(r'^[ \t]*The Sector as a Whole[ \t]*$', re.MULTILINE | re.IGNORECASE)
_EXAMPLES_HEADING = re.compile(
    r'^[ \t]*Illustrative Examples?[ \t]*:?[ \t]*$', re.MULTILINE | re.IGNORECASE
)
_CROSS_REFERENCES = re.compile(r'^[ \t]*Cross-?[ \t]*References?\b', re.MULTILINE | re.IGNORECASE)
_POINTER = re.compile(
    r'See (?:the )?industry description for (?:U\.S\. )?(?:Industry )?(\d{2,6})\.?', re.IGNORECASE
)
_ABSENT = frozenset({'', 'null', 'none', 'n/a', 'nan'})


@dataclass(frozen=True)
class Description:
    """The parts of a cell of the column Description.

    Attributes:
        text: paragraphs, one a line; None where there are none.
        illustrative: illustrative examples, one a line; None where there are none.
        pointer: canonical code whose description is used for this one; None where there is none.
    """

    text: str | None
    illustrative: str | None
    pointer: str | None


def clean_title(cell: str) -> str:
    """Trim a title, collapse its blanks, and strip the marker ``T`` of the trilateral codes.

    The marker is glued to the last word (``Crop ProductionT``), so a ``T`` after a small letter
    or a bracket is one; an acronym at the end is not.
    """
    return _TITLE_MARKER.sub('', one_line(cell))


def parse_description(cell: str | None) -> Description:
    """Take a description cell apart.

    Dropped are HTML tags, the heading of sectors, and everything from the Cross-References line
    on, whose rows are a workbook of their own. ``NULL`` and empty cells give no text.
    """
    if cell is None or cell.strip().casefold() in _ABSENT:
        return Description(None, None, None)
    body = html.unescape(_TAG.sub(' ', cell.replace('\r\n', '\n').replace('\r', '\n')))
    pointer = _POINTER.fullmatch(one_line(body))
    if pointer is not None:
        return Description(None, None, canonical_code(pointer.group(1)))
    cross_references = _CROSS_REFERENCES.search(body)
    if cross_references is not None:
        body = body[: cross_references.start()]
    body = _SECTOR_HEADING.sub('', body)
    text, *examples = _EXAMPLES_HEADING.split(body)
    return Description(_lines(text), _lines('\n'.join(examples)), None)


def one_line(text: str) -> str:
    """Trim a text and collapse every run of white space to one blank."""
    return ' '.join(text.split())


def _lines(text: str) -> str | None:
    lines = [one_line(line) for line in text.split('\n')]
    return '\n'.join(line for line in lines if line) or None
