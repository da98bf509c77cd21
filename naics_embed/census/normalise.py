"""Text normal form, and identifiers derived from content."""

import hashlib
import re

_NOT_LETTER_OR_DIGIT = re.compile(r'[\W_]+')


def normalise(text: str) -> str:
    """Return the lower-case letters and digits of a text, words separated by single blanks."""
    return _NOT_LETTER_OR_DIGIT.sub(' ', text.lower()).strip()


def content_id(*parts: str) -> str:
    """Return 16 hexadecimal digits that depend on the parts alone (BLAKE2b, 64 bits)."""
    return _digest(parts).hex()


def unit_hash(*parts: str) -> float:
    """Return a number in [0, 1) that depends on the parts alone, uniform over contents."""
    return (int.from_bytes(_digest(parts), 'big') >> 11) / 2**53


def _digest(parts: tuple[str, ...]) -> bytes:
    return hashlib.blake2b('\x1f'.join(parts).encode(), digest_size=8).digest()
