"""One name for one thing: over options of commands, fields of HTTP, attributes and columns."""

import dataclasses
import re
from pathlib import Path

import pytest
import typer

from flows.cli import commands
from naics_embed.cli import main as entry
from naics_embed.config.load import RENAMED, load_config
from naics_embed.config.sections import flat
from naics_embed.search.coded_columns import CONFIDENT, ColumnOptions
from naics_embed.search.coder import Answer
from naics_embed.service import answers

ROOT = Path(__file__).resolve().parents[1]
WORDS = {
    r'\bstands? on\b': 'depends on',
    r'\bmend(s|ed|ing)?\b': 'fix',
    r'\boddit(y|ies)\b': 'data check',
    r'\bfront door\b': 'root package',
    r'\bcrown(s|ed)?\b': 'set the champion alias',
    r'\btelling words\b': 'matching terms',
    r'\bwarm[ _]epochs?\b': 'head-only epochs',
    r'\bsurest\b': 'at a coverage',
    r'\bthe house\b': 'package',
    r'\bshares? of\b': 'fraction of',
    r'\bcourse of\b': 'history',
    r'\btop answers?\b': 'top-1',
    r'\b(known|learned) codes\b': 'supervised codes',
    r'\bback-?off (code|answer)\b': 'confident code',
}
"""Words of our own, and those of the field."""
ALLOWED = {
    'tests/test_names.py',
    'docs/terms.md',
    'CHANGELOG.md',
}
"""Files that name the old words on purpose."""
TEXTS = ('*.py', '*.md', '*.html', '*.yaml', '*.js')
FOLDERS = (
    *('naics_embed', 'tasks', 'flows', 'docs', 'configs', 'deployments', 'docker'),
    *('benchmarks', 'tests'),
)


def options() -> dict[str, set[str]]:
    """Option of a command → the commands that have it."""
    found: dict[str, set[str]] = {}
    for app in (entry.app, commands.app):
        group = typer.main.get_command(app)
        for name, command in group.commands.items():
            for parameter in command.params:
                for option in (*parameter.opts, *parameter.secondary_opts):
                    if option.startswith('--'):
                        found.setdefault(option, set()).add(name)
    return found


def test_no_option_of_before_is_an_option():
    found = options()
    assert {'--bundle', '--evidence', '--fractions', '--metrics', '--confidence'} <= set(found)
    assert not set(entry.RENAMED_OPTIONS) & set(found)
    assert set(entry.RENAMED_OPTIONS.values()) <= set(found)
    assert len(found['--bundle']) >= 8, 'each command that reads a bundle has one name for it'


def test_the_confident_code_has_one_name():
    assert 'confident' in {field.name for field in dataclasses.fields(Answer)}
    assert 'confident' in answers.CodedText.model_fields
    assert answers.CodedText.model_fields['backoff'].deprecated
    assert set(CONFIDENT) <= set(ColumnOptions().available)
    assert all(name.startswith('confident_') for name in CONFIDENT)


def test_evidence_has_one_name():
    assert 'evidence' in {field.name for field in dataclasses.fields(Answer)}
    assert 'evidence' in answers.Hit.model_fields
    assert '--support' not in options()


def test_keys_of_before_are_gone_and_name_the_new_one():
    keys = set(flat(load_config(ROOT / 'configs', 'cpu', []).config))
    for old, new in RENAMED.items():
        assert old not in keys, old
        assert new.partition('=')[0] in keys, new


@pytest.mark.parametrize('pattern', WORDS)
def test_words_of_the_field_are_used(pattern):
    files = [
        path
        for folder in FOLDERS
        for kind in TEXTS
        for path in (ROOT / folder).rglob(kind)
        if str(path.relative_to(ROOT)) not in ALLOWED
    ]
    assert len(files) > 300
    found = [
        f'{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}'
        for path in (*files, ROOT / 'README.md')
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1)
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert not found, f'write {WORDS[pattern]!r}: {found}'
