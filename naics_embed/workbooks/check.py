"""Whether a workbook is safe to give to a reader: intact, and of bounded size.

A reader of spreadsheets reserves memory for every cell between A1 and the last one, so that a file
of one kilobyte can end the process. All parts are therefore streamed once, in little memory, and
their content is measured: no size that the file declares is trusted.
"""

import logging
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from naics_embed.errors import SourceError
from naics_embed.workbooks.cells import Budget, SheetReader, StringsReader
from naics_embed.workbooks.limits import DEFAULT_LIMITS, WorkbookLimits, beyond
from naics_embed.workbooks.markup import ElementReader, local_name, read_markup
from naics_embed.workbooks.package import Package, open_package

log = logging.getLogger(__name__)

_WORKBOOK = 'xl/workbook.xml'
_RELATIONS = 'xl/_rels/workbook.xml.rels'
_STRINGS = 'xl/sharedstrings.xml'
_READ_KINDS = frozenset(
    {'officeDocument', 'worksheet', 'chartsheet', 'dialogsheet', 'sharedStrings', 'styles'}
)
_NAMED = 3
_QUOTED = 80


@dataclass(frozen=True)
class SheetSize:
    """The extent of the cells of a sheet, from A1.

    Attributes:
        name: name of the sheet.
        rows: number of the last row with content.
        columns: number of the last column with content.
    """

    name: str
    rows: int
    columns: int


def check_workbook(
    path: Path, limits: WorkbookLimits = DEFAULT_LIMITS, *, name: str | None = None
) -> tuple[SheetSize, ...]:
    """Check that ``path`` is a whole xlsx or xlsm file within ``limits``, before it is read.

    Checked are the zip archive (every part's real size, ratio and CRC, names, encryption), the XML
    of all parts that a reader opens, shared strings, and rows, columns and text of every sheet.
    Nothing that the workbook refers to outside of itself is opened, and macros are not run: the
    values stored in it count, with a warning.

    Args:
        path: file to check.
        limits: how large it may be.
        name: name in messages; None for its file name.

    Returns:
        The size of each sheet, in the workbook's order.

    Raises:
        DamagedWorkbookError: it is a zip archive, but truncated, corrupt or encrypted.
        SourceError: it is no workbook, is beyond a limit, or is not written as a spreadsheet
            program would.
    """
    name = name or path.name
    with open_package(path, limits, name) as package:
        relations = _RelationsReader(_RELATIONS, name)
        _read(package, _RELATIONS, relations)
        book = _BookReader(limits, name)
        _read(package, _WORKBOOK, book)
        sheets = _sheet_parts(book.sheets, relations.targets, package)
        outside = list(relations.outside)
        strings: array = array('Q')
        for part in package.parts:
            if part in (_RELATIONS, _WORKBOOK) or part in sheets:
                continue
            if part.endswith('.rels'):
                others = _RelationsReader(part, name)
                _read(package, part, others)
                outside += others.outside
            elif part == _STRINGS:
                table = StringsReader(limits, f'{name}, part {part}')
                _read(package, part, table)
                strings = table.sizes
            elif _is_markup(part):
                _read(package, part, ElementReader())
            else:
                _drain(package.stream(part))
        budget = Budget(limits, name)
        sizes = []
        for part, sheet in sheets.items():
            where = f'{name}, sheet {sheet!r}'
            reader = SheetReader(budget, strings, where)
            read_markup(package.stream(part), reader, where)
            budget.cells += reader.rows * reader.columns
            sizes.append(SheetSize(sheet, reader.rows, reader.columns))
    if outside:
        more = f' and {len(outside) - _NAMED} more' if len(outside) > _NAMED else ''
        log.warning(
            '%s refers to other files (%s%s); none of them is opened, and the values stored in the '
            'workbook are used',
            name,
            ', '.join(repr(target[:_QUOTED]) for target in outside[:_NAMED]),
            more,
        )
    return tuple(sizes)


def _read(package: Package, part: str, reader: ElementReader) -> None:
    read_markup(package.stream(part), reader, f'{package.name}, part {part}')


def _drain(chunks: Iterable[bytes]) -> None:
    for _ in chunks:
        pass


def _is_markup(part: str) -> bool:
    """Whether a reader may open the part as XML; other programs' parts are only measured."""
    return part == '[content_types].xml' or (part.startswith('xl/') and part.endswith('.xml'))


def _sheet_parts(
    sheets: list[tuple[str, str]], targets: dict[str, str], package: Package
) -> dict[str, str]:
    """Return part → sheet, in the workbook's order."""
    parts: dict[str, str] = {}
    for sheet, relation in sheets:
        target = targets.get(relation, '')
        part = target.removeprefix('/') if target.startswith('/') else f'xl/{target}'
        part = part.lower()
        if part not in package.parts:
            raise SourceError(
                f'{package.name}: its sheet {sheet!r} should lie in the part {part!r}, '
                'which is missing; save the workbook again with Excel or LibreOffice'
            )
        if part in parts or part in (_RELATIONS, _WORKBOOK, _STRINGS):
            raise SourceError(
                f'{package.name}: its sheet {sheet!r} lies in the part {part!r}, which is also '
                'something else; save the workbook again with Excel or LibreOffice'
            )
        parts[part] = sheet
    return parts


class _BookReader(ElementReader):
    """Names of the sheets, each with the relation that leads to its part."""

    def __init__(self, limits: WorkbookLimits, name: str) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        self._limits = limits
        self._name = name

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Record a sheet."""
        super().start(name, attributes)
        if local_name(name) != 'sheet':
            return
        relation = next((v for key, v in attributes.items() if key.endswith(':id')), '')
        self.sheets.append((attributes.get('name', ''), relation))
        if len(self.sheets) > self._limits.max_sheets:
            raise SourceError(
                f'{self._name} has {beyond("max_sheets", self._limits)} sheets; '
                'split it, or raise that limit'
            )


class _RelationsReader(ElementReader):
    """Targets of the relations of a part.

    Attributes:
        targets: identifier → target inside the workbook.
        outside: targets outside of it, other than hyperlinks, which are only text.
    """

    def __init__(self, part: str, name: str) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}
        self.outside: list[str] = []
        self._part = part
        self._name = name

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Record a relation."""
        super().start(name, attributes)
        if local_name(name) != 'Relationship':
            return
        kind = attributes.get('Type', '').rpartition('/')[2]
        target = attributes.get('Target', '')
        if attributes.get('TargetMode', '').lower() != 'external':
            self.targets[attributes.get('Id', '')] = target
        elif kind in _READ_KINDS:
            raise SourceError(
                f'{self._name}: its {kind} lies outside of the workbook, at {target[:_QUOTED]!r}, '
                'and is not fetched; save the workbook with all of its sheets inside'
            )
        elif kind != 'hyperlink':
            self.outside.append(target)
