"""Inputs that nobody would send, through library, command line and service.

    python -m benchmarks.fuzz --examples 10000 [--bundle BUNDLE] [--json FILE]

Each input must get an answer or a clear error, and each row of a file must come back. Counted are
texts for the library, requests for the service and rows of files for the command line. Whatever
else happens (another exception, a status 500, a lost row) is a failure, shrunk by hypothesis and
raised.
"""

import argparse
import csv
import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.cli import main as command
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.search.coder import Coder
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine

HUGE = 30_000
REFUSED_FILES = ('not text', 'rows can be read')
"""Words of the errors by which the command refuses a whole file."""
ROWS = 40
SCRIPTS = 'ßéñøżğ漢字かなカナ한글עבריתالعربيةไทยहिन्दीქართული😀👩‍🚀\u200b\u202e\u0301'
CONTROLS = ''.join(map(chr, (*range(32), 0x7F, 0x85, 0x2028, 0xFEFF, 0xFFFE, 0xFFFF)))
WORDS = st.sampled_from(['we groom dogs', 'corn', '541330', '31-33', 'NaN', 'null', '=1+1', '<b>'])
SURROGATES = st.characters(categories=['Cs'])

TEXTS = st.one_of(
    WORDS,
    st.text(max_size=60),
    st.text(alphabet=SCRIPTS, max_size=40),
    st.text(alphabet=CONTROLS, max_size=20),
    st.text(alphabet=st.one_of(SURROGATES, st.characters()), max_size=20),
    st.lists(WORDS, min_size=2, max_size=6).map(' '.join),
    st.tuples(st.text(min_size=1, max_size=3), st.integers(1, HUGE // 3)).map(
        lambda pair: pair[0] * pair[1]
    ),
)
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 10),
    st.floats(),
    st.binary(max_size=10),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
ANYTHING = st.one_of(TEXTS, OTHERS)
JSONABLE = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
OPTIONS = {
    'k': st.one_of(st.integers(1, 9), JSONABLE),
    'level': st.one_of(st.integers(2, 6), JSONABLE),
    'confidence': st.one_of(st.floats(0.01, 1), JSONABLE),
    'evidence': st.one_of(st.integers(0, 3), JSONABLE),
}
BODIES = st.one_of(
    st.fixed_dictionaries({'texts': st.one_of(TEXTS, st.lists(TEXTS, max_size=6))}),
    st.fixed_dictionaries({'texts': st.one_of(TEXTS, JSONABLE)}, optional=OPTIONS),
    JSONABLE,
)
ENDINGS = st.sampled_from(['.csv', '.parquet'])
COLUMNS = st.sampled_from(['string', 'integer', 'real', 'bool', 'binary', 'list'])
TYPED = {
    'integer': (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    'real': (pa.float64(), st.floats()),
    'bool': (pa.bool_(), st.booleans()),
    'binary': (pa.binary(), st.binary(max_size=8)),
    'list': (pa.list_(pa.string()), st.lists(st.sampled_from(['a', 'b']), max_size=2)),
}

Outcomes = Counter[str]


class LostError(AssertionError):
    """An input got no answer and no error."""


def fuzz_library(coder: Coder, examples: int) -> Outcomes:
    """Search for one thing after another; return how many were answered and refused."""
    seen: Outcomes = Counter()
    names = ('k', 'level', 'confidence', 'evidence')
    options = st.fixed_dictionaries({}, optional=dict.fromkeys(names, OTHERS))

    def check(text: Any, values: dict[str, Any], alone: bool) -> None:
        try:
            answers = coder.search(text if alone else [text], **values)
        except UserError as error:
            seen['refused'] += 1
            if not str(error):
                raise LostError('an error without a message') from error
            return
        wanted = len(text) if alone and not isinstance(text, str) else 1
        if len(answers) != wanted:
            raise LostError(f'{text!r} got {answers}')
        for answer in answers:
            if not 0 < answer.path[0].probability <= 1:
                raise LostError(f'{text!r} got {answer}')
        seen['answered'] += 1

    # Options are odd in one of ten.
    few = st.integers(0, 9).flatmap(lambda n: options if n == 0 else st.just({}))
    _run(check, examples, ANYTHING, few, st.booleans())
    return seen


def fuzz_service(client: TestClient, examples: int) -> Outcomes:
    """Send one request after another; return how many got which status."""
    seen: Outcomes = Counter()

    def check(body: Any, raw: bytes | None, path: str) -> None:
        # Python writes NaN and lone surrogates, as careless clients do.
        content = json.dumps(body).encode() if raw is None else raw
        answers = [
            client.post('/v1/code', content=content, headers={'content-type': 'application/json'})
        ]
        if raw is not None:
            answers.append(client.get('/v1/search', params={'q': path, 'k': '3'}))
        for answer in answers:
            seen[str(answer.status_code)] += 1
            _check_answer(answer.status_code, answer.headers['content-type'], answer.content)
        texts = body.get('texts') if isinstance(body, dict) and raw is None else None
        if answers[0].status_code == 200 and texts is not None:
            wanted = 1 if isinstance(texts, str) else len(texts)
            if len(answers[0].json()['answers']) != wanted:
                raise LostError(f'{body!r} lost a text')

    printable = st.text(alphabet=st.characters(exclude_categories=['Cs']), max_size=50)
    raw = st.one_of(st.none(), st.none(), st.none(), st.binary(max_size=60))
    _run(check, examples, BODIES, raw, printable)
    return seen


def _check_answer(status: int, kind: str, content: bytes) -> None:
    if status == 200:
        return
    if status >= 500 or kind != 'application/problem+json':
        raise LostError(f'status {status} ({kind}): {content[:500]!r}')
    problem = json.loads(content)
    if not problem['detail'] or b'Traceback' in content:
        raise LostError(f'no clear error: {content[:500]!r}')


def fuzz_command(coder: Coder, folder: Path, examples: int) -> Outcomes:
    """Code one file after another; return how many rows were answered and refused.

    The command runs in this process with a coder that is loaded already.
    """
    seen: Outcomes = Counter()

    def check(data: st.DataObject) -> None:
        source = folder / f'in{data.draw(ENDINGS)}'
        out = folder / f'out{data.draw(ENDINGS)}'
        rows = _write_file(data, source)
        bundle = coder.searcher.bundle.path
        status, output = _run_command(
            'code', source, '--text-column', 'what', '-o', out, '--bundle', bundle, '--restart',
            *('--part-rows', 16, '--force'),
        )  # fmt: skip
        if status == command.EXIT_USER_ERROR and any(words in output for words in REFUSED_FILES):
            seen['refused'] += rows
            return
        if status != 0:
            raise LostError(f'status {status}: {output}')
        faults = _read_faults(out)
        if len(faults) != rows:
            raise LostError(f'{rows} rows went in, {len(faults)} came out')
        seen['refused'] += sum(fault is not None for fault in faults)
        seen['answered'] += sum(fault is None for fault in faults)

    with mock.patch.object(Coder, 'load', return_value=coder):
        # A file has about six rows.
        _run(check, max(examples // 6, 2), st.data())
    return seen


def _write_file(data: st.DataObject, source: Path) -> int:
    """Write a file with a column of unusual values; return its number of rows."""
    if source.suffix == '.csv':
        texts = data.draw(st.lists(TEXTS, min_size=1, max_size=ROWS))
        ragged = data.draw(st.booleans())
        stream = io.StringIO(newline='')
        writer = csv.writer(stream)
        writer.writerow(['id', 'what'])
        for i, text in enumerate(texts):
            writer.writerow([i, text, 'left over'] if ragged and i % 5 == 4 else [i, text])
        source.write_bytes(stream.getvalue().encode('utf-8', 'surrogatepass'))
        return len(texts)
    kind = data.draw(COLUMNS)
    if kind == 'string':
        whole = TEXTS.map(lambda text: text.encode('utf-8', 'replace').decode())
        values = data.draw(st.lists(st.one_of(st.none(), whole), max_size=ROWS))
        column = pa.array(values, pa.string())
    else:
        of_type, drawn = TYPED[kind]
        values = data.draw(st.lists(st.one_of(st.none(), drawn), max_size=ROWS))
        column = pa.array(values, of_type)
    pq.write_table(
        pa.table({'id': pa.array(range(len(values)), pa.int64()), 'what': column}), source
    )
    return len(values)


def _run_command(*arguments: object) -> tuple[int, str]:
    output = io.StringIO()
    before = sys.argv
    sys.argv = ['naics-embed', *map(str, arguments)]
    try:
        with redirect_stderr(output):
            try:
                command.app(standalone_mode=False)
            except UserError as error:
                return command.EXIT_USER_ERROR, str(error)
    finally:
        sys.argv = before
    return 0, output.getvalue()


def _read_faults(out: Path) -> list[str | None]:
    fault = 'naics_error'
    if out.suffix == '.parquet':
        return pq.read_table(out).column(fault).to_pylist()
    csv.field_size_limit(sys.maxsize)
    with out.open(encoding='utf-8', errors='surrogateescape', newline='') as stream:
        return [row[fault] or None for row in csv.DictReader(stream)]


def _run(check: Callable[..., None], examples: int, *strategies: st.SearchStrategy) -> None:
    drawn = given(*strategies)(check)
    settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(drawn)()


@dataclass(frozen=True)
class Face:
    """One way in, and what became of its inputs."""

    name: str
    outcomes: Outcomes
    seconds: float

    @property
    def inputs(self) -> int:
        """How many inputs there were."""
        return sum(self.outcomes.values())


def fuzz(bundle: Path, examples: int, names: list[str]) -> list[Face]:
    """Send as many inputs through each face of a bundle."""
    engine = Engine.load(bundle, ServiceConfig().map_stretch)
    app = create_app(ServiceConfig(workers=1), lambda: engine)
    faces = []
    with (
        tempfile.TemporaryDirectory() as folder,
        TestClient(app, raise_server_exceptions=False) as client,
    ):
        while client.get('/readyz').status_code != 200:
            time.sleep(0.05)
        runs: dict[str, Callable[[], Outcomes]] = {
            'library': lambda: fuzz_library(engine.coder, examples),
            'command': lambda: fuzz_command(engine.coder, Path(folder), examples),
            'service': lambda: fuzz_service(client, examples),
        }
        for name in names:
            start = time.perf_counter()
            faces.append(Face(name, runs[name](), time.perf_counter() - start))
    return faces


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--examples', type=int, default=10_000)
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--faces', nargs='+', default=['library', 'command', 'service'])
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    faces = fuzz(options.bundle or promoted_bundle(), options.examples, options.faces)
    shown = Table('face', 'inputs', 'outcomes', 'seconds', box=None)
    for face in faces:
        outcomes = ', '.join(f'{name} {count:,}' for name, count in sorted(face.outcomes.items()))
        shown.add_row(face.name, f'{face.inputs:,}', outcomes, f'{face.seconds:.0f}')
    Console().print(shown)
    if options.json:
        write_json(
            options.json,
            [
                {'face': f.name, 'inputs': f.inputs, **f.outcomes, 'seconds': f.seconds}
                for f in faces
            ],
        )


if __name__ == '__main__':
    main()
