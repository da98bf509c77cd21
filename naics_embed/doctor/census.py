"""Whether the four Census workbooks are at hand."""

from pathlib import Path

from naics_embed.census.edition import read_edition
from naics_embed.config.data import DataConfig
from naics_embed.doctor.finding import Finding, ok, warn


def check_workbooks(data: DataConfig) -> Finding:
    """Look for the workbooks in the configured folder and in the cache; nothing is fetched."""
    subject = 'census workbooks'
    if data.source == 'package':
        return ok(subject, 'not needed (data.source=package)')
    books = read_edition(data.edition).workbooks.values()
    folders = [Path(folder).expanduser() for folder in (data.folder, data.cache) if folder]
    for folder in folders:
        if all((folder / book.file_name).is_file() for book in books):
            return ok(subject, f'all of them in {folder}')
    return warn(
        subject,
        f'not all in {" or ".join(map(str, folders))}: a run downloads them from census.gov, '
        'and uses titles alone where it cannot',
        'make run CENSUS=folder with the four workbooks',
    )
