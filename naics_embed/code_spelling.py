"""Codes as people and agencies write them: one reader for all of the project.

It reads whole numbers and decimals (``541511.0``, ``5.41511E+05``), any dash in a sector range
(``31–33``, ``44/45``), padding by slashes, dashes, letters or zeros (``113///``, ``5415XX``,
``541000``), suffixes of the Census Bureau (``722Z``, ``3115M2``), quotes and the apostrophe of
Excel, a name before (``NAICS 541511``) or a title after (``541511 - Custom Programming``), and
several codes in a cell.
"""

import math
import re
import unicodedata
from collections.abc import Container
from typing import Any

from naics_embed.errors import CodeError

SECTOR_RANGES: dict[str, tuple[str, ...]] = {
    '31': ('31', '32', '33'),
    '44': ('44', '45'),
    '48': ('48', '49'),
}
"""Sectors that span several two-digit prefixes, under their canonical (first) number."""

CANONICAL_SECTOR: dict[str, str] = {
    prefix: sector for sector, prefixes in SECTOR_RANGES.items() for prefix in prefixes
}

OFFICIAL_SECTOR: dict[str, str] = {
    sector: f'{prefixes[0]}-{prefixes[-1]}' for sector, prefixes in SECTOR_RANGES.items()
}

LEAST, MOST = 2, 6
"""Digits of a code."""
DASHES = dict.fromkeys(map(ord, '‐‑‒–—―−_'), '-')
QUOTES = '"\'`‘’“”'
NAME = re.compile(r'^NAICS(?:\s*(?:20\d\d|12|17|22))?(?:\s*codes?)?\s*[:#=-]?\s*', re.IGNORECASE)
RANGE = re.compile(r'(\d\d)\s*[-/]\s*(\d\d)')
PADDED = re.compile(r'(\d{2,6})(?:[-/*]+|[xX]+)')
SUFFIXED = re.compile(r'(\d{2,6})[A-Za-z]{1,2}\d?')
DECIMAL = re.compile(r'\d+(?:\.\d*)?(?:[eE][+]?\d+)?')
TITLED = re.compile(
    r'(\d{2,6}|\d\d-\d\d)\s*(?:\s-\s*|:\s*|\s\|\s*|\s+)(?!(?:and|und|y|et)\b)(?=[^\W\d])'
)
SEPARATORS = re.compile(r'[,;|\n\r\t]+|\s+(?:and|und|y|et|&)\s+|(?<=\d{3})/(?=\d{3})|\s+(?=\d)')


def read_codes(value: Any, known: Container[str] | None = None) -> tuple[str, ...]:
    """Return the codes that a cell names, in their canonical spelling; none for a missing value.

    Args:
        value: a string or a number, of Python, numpy or pandas.
        known: canonical codes that exist. Without it padding by zeros cannot be told from codes
            that end in a zero, and is kept.

    Raises:
        CodeError: the cell names something else than codes of two to six digits.

    Example:
        >>> read_codes('541511, 541512'), read_codes(541511.0), read_codes('31–33')
        (('541511', '541512'), ('541511',), ('31',))
    """
    text = NAME.sub('', cell_text(value))
    if not text:
        return ()
    whole = _one(text, known)
    if whole is not None:
        return (whole,)
    titled = TITLED.match(text)
    if titled:
        code = _one(titled[1], known)
        if code is not None:
            return (code,)
    parts = [part.strip(f' {QUOTES}') for part in SEPARATORS.split(text)]
    codes = [_one(part, known) for part in parts if part]
    if not codes or None in codes:
        raise CodeError(
            f'{value!r} is not a NAICS code: give two to six digits, or a sector range such as '
            '31-33'
        )
    return tuple(dict.fromkeys(code for code in codes if code is not None))


def read_code(
    value: Any, known: Container[str] | None = None, several: str = 'error'
) -> str | None:
    """Return the code that a cell names, None for a missing value.

    Args:
        value: see `read_codes`.
        known: see `read_codes`.
        several: what becomes of a cell with several codes: ``first``, or ``error``.

    Raises:
        CodeError: the cell names something else, or several codes where one is wanted.
    """
    codes = read_codes(value, known)
    if len(codes) > 1 and several == 'error':
        raise CodeError(
            f'{value!r} names {len(codes)} codes, {", ".join(codes)}: give one code a cell'
        )
    return codes[0] if codes else None


def cell_text(value: Any) -> str:
    """Return a value as text, without quotes; empty for None, NaN, NaT, pandas.NA and blanks.

    Raises:
        CodeError: it is a truth value.
    """
    if value is None or type(value).__name__ in ('NAType', 'NaTType'):
        return ''
    if isinstance(value, bool) or type(value).__name__ == 'bool':
        raise CodeError(f'{value!r} is not a code: it is a truth value')
    if isinstance(value, (str, bytes)):
        text = value.decode('utf-8', 'replace') if isinstance(value, bytes) else value
        text = unicodedata.normalize('NFKC', text).translate(DASHES).strip()
        if text.startswith('="') and text.endswith('"'):
            text = text[2:-1]
        text = text.strip(f' {QUOTES}')
        return '' if text.casefold() in ('nan', 'none', 'null', 'na', 'n/a', '-', '<na>') else text
    if isinstance(value, (int, float)) or hasattr(value, 'is_integer'):
        number = float(value)
        if math.isnan(number):
            return ''
        return str(int(number)) if number.is_integer() else str(value)
    return str(value).strip()


def _one(text: str, known: Container[str] | None) -> str | None:
    """Return the code that a text is, None where it is none."""
    spans = RANGE.fullmatch(text)
    if spans:
        first, last = spans.groups()
        return first if OFFICIAL_SECTOR.get(first) == f'{first}-{last}' else None
    padded = PADDED.fullmatch(text) or SUFFIXED.fullmatch(text)
    if padded:
        return _digits(padded[1], known)
    if DECIMAL.fullmatch(text):
        number = float(text)
        if number.is_integer() and not text.startswith('0'):
            return _digits(str(int(number)), known)
    return None


def _digits(digits: str, known: Container[str] | None) -> str | None:
    if not LEAST <= len(digits) <= MOST:
        return None
    code = CANONICAL_SECTOR.get(digits, digits)
    if known is None or code in known:
        return code
    if len(digits) == 4 and OFFICIAL_SECTOR.get(digits[:2]) == f'{digits[:2]}-{digits[2:]}':
        return digits[:2]
    shorter = digits.rstrip('0')
    if len(shorter) < len(digits):
        for size in range(max(len(shorter), LEAST), len(digits)):
            short = CANONICAL_SECTOR.get(digits[:size], digits[:size])
            if short in known:
                return short
    return code
