"""Codes of ISIC, NACE and SIC as people write them.

It reads codes with and without dots (``01.11``, ``0111``, ``1.11``), a section letter before
(``A01.11``), zeros that a spreadsheet has lost (``111`` for ``0111``, unless there is a group 111),
padding by zeros or letters (``7370``, ``73XX``), a name before (``SIC 7371``, ``NACE Rev. 2.1:
62.10``) or a title after (``7371 - Programming``), and several codes in a cell. NAICS and SCIAN are
read by `naics_embed.code_spelling`.
"""

import re
from collections.abc import Mapping
from typing import Any

from naics_embed.code_spelling import SEPARATORS, cell_text

LETTERED = re.compile(r'([A-V])?\s*\.?\s*(\d{1,2}(?:\.\d{1,2}){0,2}|\d{1,4})', re.IGNORECASE)
SECTION = re.compile(r'[A-V]', re.IGNORECASE)
PADDED = re.compile(r'(\d{2,3})(?:[xX]{1,2}|[-*]+|/+)')
BEFORE = re.compile(
    r'^(?:ISIC|NACE|SIC|CIIU)(?:[\s.,]*Rev(?:ision)?\b[\s.]*(?:[1-5](?:\.1)?(?![\d.]))?'
    r'|[\s-]+(?:19|20)\d\d(?=[\s:]+\S)|[\s]*[1-5](?:\.1)?(?=[\s:]+\S))?'
    r'(?:\s*codes?)?\s*[:#=-]?\s*',
    re.IGNORECASE,
)
TITLED = re.compile(r'([A-V]?\s?\d[\d.]*|[A-V])(?:\s*[-:|]\s*|\s+)(?=[^\W\d])', re.IGNORECASE)
MOST_ZEROS = 3


def read_class_codes(value: Any, known: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the codes that a cell names; none for a missing value.

    Args:
        value: a string or a number, of Python, numpy or pandas.
        known: code without its dots → code, as the classification spells it.

    Returns:
        Codes of the classification; what has the spelling of a code but is none of them stands
        as it is written. None where the cell names something else.
    """
    text = cell_text(value)
    if not text:
        return ()
    if not isinstance(value, (str, bytes)) and len(text.partition('.')[0]) == 3:
        # Numbers have no zeros before them: 141 is 0141 rather than the group 141.
        text = f'0{text}' if f'0{text.partition(".")[0]}' in known else text
    text = BEFORE.sub('', text).strip()
    whole = _one(text, known)
    if whole is not None:
        return (whole,)
    titled = TITLED.match(text)
    if titled and (code := _one(titled[1], known)) is not None:
        return (code,)
    codes = [_one(part.strip(), known) for part in SEPARATORS.split(text) if part.strip()]
    if not codes or None in codes:
        return None
    return tuple(dict.fromkeys(code for code in codes if code is not None))


def _one(text: str, known: Mapping[str, str]) -> str | None:
    if SECTION.fullmatch(text):
        return known.get(text.upper(), text.upper())
    padded = PADDED.fullmatch(text)
    if padded:
        return _known(padded[1], known) or padded[1]
    # A number of a spreadsheet, such as 7371.0, has no other digits after its point.
    whole = re.fullmatch(r'(\d{3,4})\.0*', text)
    match = LETTERED.fullmatch(whole[1] if whole else text)
    if match is None:
        return None
    first, _, rest = match[2].partition('.')
    digits = (first.zfill(2) + rest.replace('.', '')) if rest else first
    return _known(digits, known) or (digits if len(digits) > 1 else None)


def _known(digits: str, known: Mapping[str, str]) -> str | None:
    """Return the code that digits are: as they stand, with a zero before, or without zeros."""
    for candidate in (digits, f'0{digits}'):
        if candidate in known and len(candidate) > 1:
            return known[candidate]
    for longer in (f'0{digits}', digits) if len(digits) == 3 else (digits,):
        for zeros in range(1, MOST_ZEROS):
            shorter = longer[:-zeros]
            if longer.endswith('0' * zeros) and len(shorter) > 1 and shorter in known:
                return known[shorter]
    return None
