"""Whether the four Census workbooks are at hand."""

from pathlib import Path

from naics_embed.census.files import WORKBOOKS
from naics_embed.config.data import DataConfig
from naics_embed.doctor.finding import Finding, ok, warn


def check_workbooks(data: DataConfig) -> Finding:
    """Look for the workbooks in the configured folder and in the cache; nothing is fetched."""
    subject = 'census workbooks'
    if data.source == 'package':
        return ok(subject, 'not wanted (data.source=package)')
    places = [Path(place).expanduser() for place in (data.folder, data.cache) if place]
    for place in places:
        if all((place / book.file_name).is_file() for book in WORKBOOKS.values()):
            return ok(subject, f'all four in {place}')
    return warn(
        subject,
        f'not all in {" or ".join(map(str, places))}: a run asks census.gov, '
        'and without it falls back to titles',
        'make run CENSUS=folder with the four workbooks',
    )
