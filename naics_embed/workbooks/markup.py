"""XML parts of a workbook as a stream of elements, within bounds of memory.

The parser is expat. A part must be UTF-8, whatever its declaration says, so that no other parser
can see other elements in the same bytes, and must have no document type, so that nothing expands.
"""

from collections.abc import Iterable
from xml.parsers import expat

from naics_embed.errors import SourceError

_MAX_TAG_BYTES = 2**20
_MAX_DEPTH = 256
_MAX_NAMES = 20_000
_UTF_16 = (b'\xff\xfe', b'\xfe\xff')
_SAVE_AGAIN = 'save the workbook again with Excel or LibreOffice'


class ElementReader:
    """Called for the elements of a part; this one only checks that they can be parsed.

    The parser calls the methods directly, several times for each cell, so that a subclass counts
    ``depth`` itself and takes the prefix off a name itself.

    Attributes:
        depth: how many elements are open.
    """

    def __init__(self) -> None:
        self.depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self.depth += 1

    def text(self, content: str) -> None:
        """Text, in pieces."""

    def end(self, name: str) -> None:
        """An element ends."""
        self.depth -= 1


def local_name(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name.rpartition(':')[2]


def read_markup(chunks: Iterable[bytes], reader: ElementReader, where: str) -> None:
    """Give all elements of an XML document to ``reader``.

    Args:
        chunks: the document.
        reader: its methods are called.
        where: the file and part, for messages.

    Raises:
        SourceError: it is not well-formed, has a document type, is nested too deep, or has a tag
            or a number of names that would fill the memory.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate('utf-8', None, names)
    parser.buffer_text = True

    def doctype(*_: object) -> None:
        raise SourceError(
            f'{where}: it has a document type (DOCTYPE), whose entities could expand without '
            f'bound, and no spreadsheet program writes one; {_SAVE_AGAIN}'
        )

    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = doctype
    fed = 0
    try:
        for chunk in chunks:
            # UTF-16 is recognised by its first bytes whatever encoding expat is given.
            if not fed and (chunk[:2] in _UTF_16 or 0 in chunk[:2]):
                raise SourceError(f'{where} is not UTF-8; {_SAVE_AGAIN}')
            fed += len(chunk)
            parser.Parse(chunk, False)
            if reader.depth > _MAX_DEPTH:
                raise _unusual(where, f'elements within {reader.depth:,} others')
            if fed - parser.CurrentByteIndex > _MAX_TAG_BYTES:
                raise _unusual(where, f'a tag of more than {_MAX_TAG_BYTES:,} bytes')
            if len(names) > _MAX_NAMES:
                raise _unusual(where, f'more than {_MAX_NAMES:,} different names of tags')
        parser.Parse(b'', True)
    except expat.ExpatError as error:
        raise SourceError(
            f'{where} is not well-formed XML in UTF-8 ({error}); {_SAVE_AGAIN}'
        ) from error


def _unusual(where: str, what: str) -> SourceError:
    return SourceError(
        f'{where}: it has {what}, which no spreadsheet program writes; {_SAVE_AGAIN}'
    )
