"""Workbooks written part by part, so that any of them can be wrong."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

SPREADSHEET = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
PACKAGE = 'http://schemas.openxmlformats.org/package/2006'
RELATIONS = 'xl/_rels/workbook.xml.rels'
SHEET = 'xl/worksheets/sheet1.xml'
STRINGS = 'xl/sharedStrings.xml'

Content = str | bytes


def relations(*kinds: tuple[str, str], mode: str = '') -> str:
    """Relations of kind and target; the first is rId1."""
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        + ''.join(
            f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"{mode}/>'
            for n, (kind, target) in enumerate(kinds, start=1)
        )
        + '</Relationships>'
    )


def sheet(rows: str, before: str = '', after: str = '') -> str:
    """A sheet with the XML of its rows."""
    return (
        f'<?xml version="1.0"?><worksheet xmlns="{SPREADSHEET}">{before}'
        f'<sheetData>{rows}</sheetData>{after}</worksheet>'
    )


def strings(entries: str) -> str:
    """A table of shared strings with the XML of its entries."""
    return f'<?xml version="1.0"?><sst xmlns="{SPREADSHEET}">{entries}</sst>'


def cell(reference: str, value: str = '1', kind: str = '') -> str:
    """A cell with a value."""
    return f'<c r="{reference}"{kind and f" t={kind!r}"}><v>{value}</v></c>'


def parts(rows: str = cell('A1'), sheets: str | None = None, **more: Content) -> dict[str, Content]:
    """All parts of a workbook of one sheet, ``Data``."""
    listed = sheets or '<sheet name="Data" sheetId="1" r:id="rId1"/>'
    return {
        '[Content_Types].xml': f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        '_rels/.rels': relations(('officeDocument', 'xl/workbook.xml')),
        'xl/workbook.xml': f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}">'
        f'<sheets>{listed}</sheets></workbook>',
        RELATIONS: relations(
            ('worksheet', 'worksheets/sheet1.xml'), ('sharedStrings', 'sharedStrings.xml')
        ),
        SHEET: sheet(rows),
        **more,
    }


def write(path: Path, content: dict[str, Content]) -> Path:
    """Write parts as a workbook."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return path


def far(reference: str) -> str:
    """Rows with a cell at A1 and one elsewhere."""
    row = ''.join(letter for letter in reference if letter.isdigit())
    return f'<row r="1">{cell("A1")}</row><row r="{row}">{cell(reference)}</row>'


MEMORY = 512 * 2**20
MEASURED = 'resident MB: '
CHECK = """
import json, resource, sys
from pathlib import Path
from naics_embed.errors import UserError
from naics_embed.workbooks.check import check_workbook
from naics_embed.workbooks.limits import WorkbookLimits
path, memory, limits = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
try:
    check_workbook(path, WorkbookLimits(**limits))
except UserError as error:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(error, '\\nresident MB:', (after - before) // 1024)
    sys.exit(2)
"""
READ = """
import resource, sys
from pathlib import Path
import fastexcel, polars
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.census.sources import SourceFile
from naics_embed.census.workbook import read_sheet
from naics_embed.errors import UserError

WORKBOOKS = read_edition(DEFAULT).workbooks
CODES = WORKBOOKS['codes']
memory = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
try:
    read_sheet(SourceFile(Path(sys.argv[1]), '', False), CODES)
except UserError as error:
    print(error)
    sys.exit(2)
"""


def refusal(path, *, code=CHECK, memory=MEMORY, **limits) -> str:
    """Return the message with which a workbook is refused."""
    command = [sys.executable, '-c', code, str(path), str(memory), json.dumps(limits)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, f'not refused: {done.returncode}\n{done.stdout}{done.stderr}'
    message, _, used = done.stdout.partition(MEASURED)
    assert path.name in message
    if used:
        assert int(used) < 100, f'{used} MB were used to find out'
    return message
