"""Changes to the files of the configuration that leave the rest of them as it is."""

import re
from pathlib import Path

import yaml

from naics_embed.artifacts import atomic_file
from naics_embed.errors import ConfigError

_SECTION = re.compile(r'training:\s*(#.*)?')


def write_batch(profile: Path, batch: int) -> None:
    """Set ``training.batch`` in a profile, leaving every other line as it is.

    Raises:
        ConfigError: the file does not exist, or is laid out so that one line cannot be set.
    """
    if not profile.is_file():
        raise ConfigError(f'{profile} does not exist; name a file of configs/profiles')
    before = profile.read_text(encoding='utf-8')
    lines = before.splitlines()
    start = next((i for i, line in enumerate(lines) if _SECTION.fullmatch(line)), None)
    if start is None:
        lines += ['training:', f'  batch: {batch}']
    else:
        end = next(
            (i for i in range(start + 1, len(lines)) if lines[i] and not lines[i][0].isspace()),
            len(lines),
        )
        existing = [i for i in range(start + 1, end) if lines[i].startswith('  batch:')]
        if existing:
            comment = lines[existing[0]].partition('#')
            note = f'  #{comment[2]}' if comment[1] else ''
            lines[existing[0]] = f'  batch: {batch}{note}'
        else:
            lines.insert(start + 1, f'  batch: {batch}')
    after = '\n'.join(lines) + '\n'
    _check_written(profile, before, after, batch)
    with atomic_file(profile) as temporary:
        temporary.write_text(after, encoding='utf-8')


def _check_written(profile: Path, before: str, after: str, batch: int) -> None:
    """Raise ConfigError unless the texts differ in the batch alone."""
    expected = yaml.safe_load(before) or {}
    expected['training'] = {**(expected.get('training') or {}), 'batch': batch}
    try:
        written = yaml.safe_load(after)
    except yaml.YAMLError:
        written = None
    if written != expected:
        raise ConfigError(
            f'{profile} has a section training that is not a line `training:` with indented lines '
            f'below; set batch: {batch} there by hand'
        )
