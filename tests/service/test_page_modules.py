"""Modules of the pages without a page, in node."""

import csv
import io
import json
import shutil
import subprocess
from typing import Any

import pytest

from naics_embed.service.pages import STATIC

HARNESS = """
const [, file, body] = process.argv;
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
import(file).then((script) => {
  const value = new Function('script', 'given', body)(script, given);
  process.stdout.write(JSON.stringify(value));
});
"""
CODES = [{'official': '111150', 'title': 'Corn, all kinds', 'probability': 0.9}]


@pytest.fixture
def node(tmp_path):
    """Run a function's body in node over a module: `script` and `given` are known."""
    program = shutil.which('node')
    if program is None:
        pytest.skip('node is not installed')

    def run(name: str, body: str, given: Any) -> Any:
        # As a module, whatever version of node this is.
        file = tmp_path / f'{name}.mjs'
        shutil.copy(STATIC / f'{name}.js', file)
        command = [program, '-e', HARNESS, '--', str(file), body]
        done = subprocess.run(
            command, input=json.dumps(given), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def row(at: int, status: str | None, probability: float = 0.5) -> dict:
    hit = {'probability': probability}
    return {'at': at, 'answer': None if status is None else {'status': status, 'hits': [hit]}}


def test_the_most_doubtful_rows_come_first(node):
    rows = [
        row(0, 'coded', 0.9),
        row(1, 'coded', 0.85),
        row(2, 'coarser', 0.7),
        row(3, 'uncertain', 0.1),
        row(4, None),
        row(5, 'says nothing'),
    ]
    found = node('rows', 'return script.byDoubt(given).map((row) => row.at)', rows)
    assert found == [4, 5, 3, 2, 1, 0]


def test_each_text_is_sent_once(node):
    rows = [{'text': text} for text in ('corn', ' corn ', '', 'rice', 'wheat')]
    assert node('rows', 'return script.batches(given, 2)', rows) == [['corn', 'rice'], ['wheat']]


def test_columns_of_the_user_stay_as_they_are(node):
    fields = ['=1+1', 'a "quoted", text\nof two lines']
    answer = {'status': 'coded', 'hits': CODES}
    rows = [
        {'fields': fields, 'answer': answer, 'code': None, 'decision': 'accepted'},
        {'fields': ['', ''], 'answer': None, 'code': None, 'decision': ''},
        {
            'fields': ['x', 'y'],
            'answer': answer,
            'code': {'official': '11', 'title': 'Farms'},
            'decision': 'overridden',
        },
        {
            'fields': ['n/a', ''],
            'answer': {'status': 'says nothing', 'hits': CODES},
            'code': None,
            'decision': '',
        },
    ]
    body = 'return script.csv(script.decided(given.columns, given.rows))'
    text = node('rows', body, {'columns': ['naics_code', 'what'], 'rows': rows})
    assert text.startswith('\ufeff')
    read = list(csv.reader(io.StringIO(text[1:], newline='')))
    assert read[0][:3] == ['naics_code', 'what', 'naics_code_'], 'no name twice'
    assert read[1] == [*fields, '111150', 'Corn, all kinds', '0.9000', 'coded', 'accepted']
    assert read[2][2:] == ['', '', '', 'cannot be read', '']
    assert read[4][2:] == ['', '', '', 'says nothing', ''], 'a guess is no answer'
    assert read[3][2:] == ['11', 'Farms', '', 'coded', 'overridden']


@pytest.mark.parametrize(
    ('search', 'expected'),
    [
        ('', ('', 6, 0.8, '', [])),
        ('?q=%20corn%20&digits=4&confidence=0.95', ('corn', 4, 0.95, '', [])),
        ('?q=a&digits=9&confidence=x&code=31-33', ('a', 6, 0.8, '31-33', [])),
        ('?confidence=90&compare=1,2', ('', 6, 0.9, '', ['1', '2'])),
        ('?compare=1', ('', 6, 0.8, '', [])),
    ],
)
def test_the_address_holds_the_state(node, search, expected):
    state = node('state', 'return script.readState(given)', search)
    assert tuple(state[name] for name in ('q', 'digits', 'confidence', 'code', 'compare')) == (
        expected
    )
    again = 'return script.readState(script.addressOf(given).replace("./", ""))'
    assert node('state', again, state) == state
