"""Workbooks of strings and numbers, as the Census source has them."""

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

SPREADSHEET = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
PACKAGE = 'http://schemas.openxmlformats.org/package/2006'
XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

Cell = str | int | float | None


def write_xlsx(path: Path, sheets: dict[str, list[list[Cell]]]) -> Path:
    """Write sheets of strings and numbers; None leaves a cell out."""
    numbers = range(1, len(sheets) + 1)
    overrides = ''.join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{XLSX}.worksheet+xml"/>'
        for n in numbers
    )
    parts = {
        '[Content_Types].xml': f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{XLSX}.sheet.main+xml"/>'
        f'{overrides}</Types>',
        '_rels/.rels': f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        'xl/workbook.xml': f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}"><sheets>'
        + ''.join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
            for n, name in zip(numbers, sheets, strict=True)
        )
        + '</sheets></workbook>',
        'xl/_rels/workbook.xml.rels': f'<Relationships xmlns="{PACKAGE}/relationships">'
        + ''.join(
            f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" '
            f'Target="worksheets/sheet{n}.xml"/>'
            for n in numbers
        )
        + '</Relationships>',
    }
    for n, rows in zip(numbers, sheets.values(), strict=True):
        written = ''.join(
            f'<row r="{r}">{"".join(_cell(c, r, v) for c, v in enumerate(row))}</row>'
            for r, row in enumerate(rows, start=1)
        )
        parts[f'xl/worksheets/sheet{n}.xml'] = (
            f'<worksheet xmlns="{SPREADSHEET}"><sheetData>{written}</sheetData></worksheet>'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            part = zipfile.ZipInfo(name, date_time=(2022, 1, 1, 0, 0, 0))
            part.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(part, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path


def _cell(column: int, row: int, value: Cell) -> str:
    place = f'r="{chr(ord("A") + column)}{row}"'
    if value is None:
        return ''
    if isinstance(value, str):
        text = escape(value, {'\r': '&#13;'})
        return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f'<c {place}><v>{value}</v></c>'
