"""The templates of pages: text is escaped, and style and script are part of the page."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from naics_embed.redaction import without_folders
from naics_embed.report.svg import number
from naics_embed.taxonomy import official_code

TEMPLATES = Path(__file__).resolve().parent / 'templates'


@cache
def environment() -> Environment:
    """Return the environment of the templates."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals['include_raw'] = lambda name: Markup((TEMPLATES / name).read_text('utf-8'))
    templates.filters |= {
        'number': number,
        'official': official_code,
        'without_folders': without_folders,
    }
    return templates
