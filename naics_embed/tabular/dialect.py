"""How a text file is written: encoding, delimiter, quotes; detected, or as the user says."""

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from naics_embed.errors import UserError

SAMPLE_BYTES = 256 * 1024
SAMPLE_RECORDS = 200
DELIMITERS = (',', ';', '\t', '|')
NAMES = {
    ',': 'comma',
    ';': 'semicolon',
    '\t': 'tab',
    '|': 'vertical bar',
    ' ': 'space',
    ':': 'colon',
    '^': 'circumflex',
    '~': 'tilde',
}
BY_NAME = {name: delimiter for delimiter, name in NAMES.items()} | {'\\t': '\t', 'tabulator': '\t'}
MARKS = (
    (codecs.BOM_UTF8, 'utf-8-sig'),
    (codecs.BOM_UTF32_LE, 'utf-32'),
    (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)
"""Byte order marks; those of UTF-32 begin like those of UTF-16."""
WIDE = ('utf-16', 'utf-32')
WESTERN = 'cp1252'
"""What Excel and older programs of the Americas and western Europe write."""
EXCEL_LINE = 'sep='


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes:
        encoding: a codec of Python.
        delimiter: what stands between two fields.
        quote: what stands around a field that holds a delimiter; empty for nothing.
        skip_rows: lines before the header.
        header: whether the first row names the columns.
    """

    encoding: str = 'utf-8'
    delimiter: str = ','
    quote: str = '"'
    skip_rows: int = 0
    header: bool = True

    @property
    def plain(self) -> bool:
        """Whether lines can be found in the bytes, and bytes that are no text kept as they are."""
        return self.encoding in ('utf-8', 'utf-8-sig', 'ascii')

    def describe(self) -> str:
        """Return the dialect in a few words."""
        name = NAMES.get(self.delimiter, repr(self.delimiter))
        words = [self.encoding.upper().replace('-SIG', ' with a byte order mark'), f'{name}s']
        if self.skip_rows:
            lines = 'a line' if self.skip_rows == 1 else f'{self.skip_rows} lines'
            words.append(f'{lines} before the header')
        if not self.header:
            words.append('no header')
        return ', '.join(words)

    def reader_options(self) -> dict[str, Any]:
        """Return the options of `csv.reader`."""
        if not self.quote:
            return {'delimiter': self.delimiter, 'quoting': csv.QUOTE_NONE}
        return {'delimiter': self.delimiter, 'quotechar': self.quote}


@dataclass(frozen=True)
class DialectOptions:
    """What the user says about a text file; None where it is to be detected.

    Attributes:
        encoding: a codec of Python, such as ``utf-8`` or ``cp1252``.
        delimiter: one character, or its name, such as ``tab``.
        quote: one character; empty for a file without quotes.
        skip_rows: lines before the header.
        header: whether the first row names the columns.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    skip_rows: int | None = None
    header: bool = True

    def checked(self) -> 'DialectOptions':
        """Return the options with the delimiter as a character. Raises UserError for wrong ones."""
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                raise UserError(
                    f'--encoding {self.encoding} is unknown; give utf-8, cp1252, utf-16 or another'
                ) from error
        delimiter = self.delimiter
        if delimiter is not None:
            delimiter = BY_NAME.get(delimiter.lower(), delimiter)
            if len(delimiter) != 1:
                raise UserError(
                    f'--delimiter {self.delimiter!r} must be one character, or one of '
                    f'{", ".join(NAMES.values())}'
                )
        if self.quote is not None and len(self.quote) > 1:
            raise UserError(f'--quote {self.quote!r} must be one character, or empty')
        if self.skip_rows is not None and self.skip_rows < 0:
            raise UserError(f'--skip-rows must be at least 0, not {self.skip_rows}')
        return replace(self, delimiter=delimiter)


def detect_dialect(
    sample: bytes, options: DialectOptions | None = None, *, whole: bool = True
) -> Dialect:
    """Return how a text file is written.

    Args:
        sample: the file, or its beginning.
        options: what the user says.
        whole: whether the sample is all of the file.
    """
    options = (options or DialectOptions()).checked()
    encoding = options.encoding or detect_encoding(sample, whole=whole)
    for mark, marked in MARKS:
        # The mark is no character of the text, whichever of the two names was given.
        if sample.startswith(mark) and codecs.lookup(encoding).name.startswith(marked[:5]):
            encoding = marked
            break
    text = codecs.getincrementaldecoder(encoding)('replace').decode(sample[:SAMPLE_BYTES])
    skip = options.skip_rows
    delimiter = options.delimiter
    first = text.partition('\n')[0].rstrip('\r')
    if first.lower().startswith(EXCEL_LINE) and len(first) == len(EXCEL_LINE) + 1:
        delimiter = delimiter or first[-1]
        skip = 1 if skip is None else skip
    body = '\n'.join(text.split('\n')[skip or 0 :])
    quote = '"' if options.quote is None else options.quote
    return Dialect(encoding, delimiter or _delimiter(body, quote), quote, skip or 0, options.header)


def check_encoding(source: object, sample: bytes, chosen: str | None) -> None:
    """Raise UserError where a text is of UTF-16 or UTF-32, and another encoding was named.

    Args:
        source: what the error names.
        sample: the text, or its beginning.
        chosen: the encoding that the user named; None for none.
    """
    if chosen is None:
        return
    named = codecs.lookup(chosen).name
    detected = detect_encoding(sample, whole=False)
    is_wide, named_wide = detected.startswith(WIDE), named.startswith(WIDE)
    unmarked = named in WIDE and not any(sample.startswith(mark) for mark, _ in MARKS)
    # Every line end and comma of a text in UTF-16 has a zero byte.
    if (is_wide and (not named_wide or unmarked)) or (named_wide and b'\0' not in sample):
        raise UserError(
            f'{source} is {detected.upper()}, not {chosen.upper()}: give --encoding {detected}, or '
            'leave it out'
        )


def detect_encoding(sample: bytes, *, whole: bool) -> str:
    """Return the encoding of a text: of its byte order mark, UTF-8, UTF-16, or Windows-1252.

    Args:
        sample: the text, or its beginning.
        whole: whether the sample is all of it; else its last character may be cut.
    """
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    zeros = sample[:SAMPLE_BYTES].count(0)
    if zeros > len(sample[:SAMPLE_BYTES]) // 8:
        return 'utf-16-le' if sample[1:2] == b'\0' else 'utf-16-be'
    try:
        codecs.getincrementaldecoder('utf-8')().decode(sample, final=whole)
    except UnicodeDecodeError:
        return WESTERN
    return 'utf-8'


def _delimiter(text: str, quote: str) -> str:
    """Return the delimiter that divides the most records into one number of fields above one."""
    best, best_score = ',', (0.0, 0)
    for delimiter in DELIMITERS:
        dialect = Dialect(delimiter=delimiter, quote=quote)
        reader = csv.reader(io.StringIO(text, newline=''), **dialect.reader_options())
        widths: list[int] = []
        try:
            for record in reader:
                if record:
                    widths.append(len(record))
                if len(widths) == SAMPLE_RECORDS:
                    break
        except csv.Error:
            continue
        if len(widths) > 1 and len(widths) < SAMPLE_RECORDS:
            # The last record of a sample may be cut.
            widths = widths[:-1] if len(widths) > 2 else widths
        counts = Counter(width for width in widths if width > 1)
        if counts:
            width, times = counts.most_common(1)[0]
            score = (times / len(widths), width)
            if score > best_score:
                best, best_score = delimiter, score
    return best
