"""Small workbooks made on the spot, and a server on the loopback that misbehaves on demand."""

import copy
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.workbooks import Cell, write_xlsx
from naics_embed.census.download import HttpSettings
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.census.sources import Source, acquire

WORKBOOKS = read_edition(DEFAULT).workbooks
CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES = WORKBOOKS.values()

CODE_ROWS: list[list[Cell]] = [
    ['Seq. No.', '2022 NAICS US   Code', '2022 NAICS US Title', None],
    [None, None, None, None],
    [1, 11, 'Growing Things '],
    [2, 111, 'Plants'],
    [3, 1111, 'Grain '],
    [4, 11111, 'Grain'],
    [5, 111110, ' Grain'],
    [6, 1112, 'Roots  and Leaves'],
    [7, 11121, 'Roots and Leaves'],
    [8, 111211, 'Roots'],
    [9, 111219, 'Leaves'],
    [10, '31-33', 'Making Things'],
    [11, 321, 'Timber'],
    [12, 3211, 'Planks'],
    [13, 32111, 'Planks'],
    [14, 321113, 'Rough Planks'],
    [15, 321114, 'Treated Planks (IT)'],
    [16, '44-45', 'Selling Things'],
    [17, 455, 'Shops'],
    [18, 4551, 'Big Shops'],
    [19, 45511, 'Big Shops'],
    [20, 455110, 'Big Shops'],
    [21, 4552, 'Small Shops'],
    [22, 45521, 'Small Shops'],
    [23, 455210, 'Small Shops'],
]

DESCRIPTION_ROWS: list[list[Cell]] = [
    ['Code', 'Title', 'Description'],
    [11, 'Growing ThingsT', 'The Sector as a Whole\n\nAll that grows.\n\nA second paragraph.\n'],
    [111, 'PlantsT', 'Plants  of all\tkinds.\r\n\r\nCross-References.'],
    [1111, 'GrainT', 'NULL'],
    [11111, 'GrainT', 'See industry description for 111110.'],
    [
        111110,
        'Grain',
        'Sowing and reaping grain.\n\nIllustrative Examples:\n\nOat fields\t\nRye   fields\n\n\n'
        'Cross-References. Establishments primarily engaged in--',
    ],
    [1112, 'Roots and LeavesT', 'NULL'],
    [11121, 'Roots and LeavesT', None],
    [
        111211,
        'Roots',
        'Digging up roots.\n\nCross-references. Establishments primarily engaged in--',
    ],
    [
        111219,
        'Leaves',
        'Picking leaves.\n\nCross-References. Government establishments primarily engaged in--'
        '\nPicking fruit--are classified elsewhere.',
    ],
    [
        '31-33',
        'Making ThingsT',
        'The Sector as a Whole\n\nMaking:<table width=10%><tr><td>'
        "<dt style='x'>Carving<br/> wood;</dt><dt>Weaving &amp; knitting, at &lt; 5 looms.</dt>"
        '</td></tr></table>\nSize a < b > c stays.',
    ],
    [321, 'TimberT', 'Work on timber.'],
    [3211, 'PlanksT', 'NULL'],
    [32111, 'PlanksT', 'Sawing of planks.'],
    [
        321113,
        'Rough Planks',
        'Sawing only.\n\nIllustrative Examples:\n\nBarn boards\nFence boards\n',
    ],
    [321114, 'Treated Planks (IT)', 'Soaking planks in oil.'],
    ['44-45', 'Selling ThingsT', 'Selling.'],
    [455, 'ShopsT', 'NULL'],
    [4551, 'Big ShopsT', 'See industry description for 45511.'],
    [45511, 'Big ShopsT', 'See industry description for 455110.'],
    [455110, 'Big Shops', 'Shops with much of everything.'],
    [4552, 'Small ShopsT', 'NULL'],
    [45521, 'Small ShopsT', 'NULL'],
    [455210, 'Small Shops', 'NULL'],
]

INDEX_ROWS: list[list[Cell]] = [
    ['NAICS22', 'INDEX ITEM DESCRIPTION'],
    [111110, 'Wheat growing'],
    [111110, ' Barley growing, under glass '],
    [111211, 'Carrot digging'],
    [111211, 'Café  turnip lifting'],
    [111219, 'Spinach picking'],
    [321113, 'Board sawing'],
    [321114, 'Pole soaking'],
    [455110, 'Warehouse shop'],
    [455110, 'Warehouse shop'],
    ['******', 'Sawing -- see material '],
    ['******', 'Shops -- see size '],
]

CROSS_REFERENCE_ROWS: list[list[Cell]] = [
    ['Code', 'Cross-Reference'],
    [111110, 'Growing roots--are classified in U.S. Industry 111211, Roots;'],
    [
        111110,
        'Establishments primarily engaged in selling grain, are classified in Industry 455110, '
        'Big Shops, or Sector 31-33, Making Things.',
    ],
    [111110, 'Growing roots--are classified in U.S. Industry 111211, Roots;'],
    [111211, 'Growing anything else--are classified according to the crop.'],
    [111211, 'Growing for 10 years or more--are classified in Industry Group 1112, Roots.'],
    [
        32111,
        'Government establishments primarily engaged in sawing--are classified elsewhere in '
        'Subsector 321, Timber, based on the log;',
    ],
    [
        321114,
        'Industry 321113, Rough Planks; and Industry Group 1111, Grain; Oiled pole makers are '
        'classified in Industries 32111 and 321113, Planks;',
    ],
    [455110, 'Corner shops are classified in Subsector 459, Other Shops.'],
    [455210, 'See the list of shops in Industry 455110, Big Shops.'],
]


@dataclass
class SmallCensus:
    """Rows of four small workbooks; change them, then write them."""

    codes: list[list[Cell]] = field(default_factory=lambda: copy.deepcopy(CODE_ROWS))
    descriptions: list[list[Cell]] = field(default_factory=lambda: copy.deepcopy(DESCRIPTION_ROWS))
    index: list[list[Cell]] = field(default_factory=lambda: copy.deepcopy(INDEX_ROWS))
    cross_references: list[list[Cell]] = field(
        default_factory=lambda: copy.deepcopy(CROSS_REFERENCE_ROWS)
    )
    sheets: dict[str, str] = field(
        default_factory=lambda: {key: workbook.sheet for key, workbook in WORKBOOKS.items()}
    )

    def describe(self, code: int | str, text: str | None) -> None:
        next(row for row in self.descriptions if row[0] == code)[2] = text

    def write(self, folder: Path, leave_out: tuple[str, ...] = ()) -> Path:
        for workbook in (CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES):
            if workbook.key not in leave_out:
                rows = getattr(self, workbook.key)
                write_xlsx(folder / workbook.file_name, {self.sheets[workbook.key]: rows})
        return folder


@pytest.fixture(name='write_xlsx')
def _write_xlsx():
    return write_xlsx


@pytest.fixture
def census():
    return SmallCensus()


@pytest.fixture
def as_source(tmp_path):
    """Write a small census and acquire it as a folder source."""

    def acquire_folder(census: SmallCensus, leave_out: tuple[str, ...] = ()) -> Source:
        folder = census.write(tmp_path / 'folder', leave_out)
        return acquire(
            'folder', folder=folder, cache_dir=tmp_path / 'cache', settings=HttpSettings()
        )

    return acquire_folder


@pytest.fixture
def quick():
    """Settings under which a failure takes a fraction of a second."""
    return HttpSettings(
        connect_timeout_s=2.0,
        read_timeout_s=2.0,
        deadline_s=20.0,
        retries=2,
        backoff_s=0.01,
        backoff_max_s=0.02,
        max_bytes=100_000,
    )


@dataclass
class Answer:
    """What the server does with one request.

    Attributes:
        length: announced Content-Length; None for the true one, negative for none at all.
        pause_s: wait before each piece.
        pieces: number of pieces in which the body is sent.
    """

    body: bytes = b''
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    pause_s: float = 0.0
    pieces: int = 1


class Loopback:
    """A server that gives planned answers, the last one again and again, and keeps requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.by_name: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                loopback.requests.append((self.path, dict(self.headers)))
                loopback.give(self)

            def log_message(self, *_arguments: object) -> None:
                """Keep the test output quiet."""

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self._server.server_port}/naics'
        threading.Thread(
            target=self._server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
        ).start()

    def give(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rsplit('/', 1)[-1]
        answer = self.by_name.get(name) or self.answers[0]
        if name not in self.by_name and len(self.answers) > 1:
            self.answers.pop(0)
        handler.send_response(answer.status)
        for header, value in answer.headers.items():
            handler.send_header(header, value)
        length = len(answer.body) if answer.length is None else answer.length
        if length >= 0:
            handler.send_header('Content-Length', str(length))
        handler.end_headers()
        size = max(1, -(-len(answer.body) // answer.pieces))
        try:
            for start in range(0, len(answer.body), size):
                if answer.pause_s:
                    time.sleep(answer.pause_s)
                handler.wfile.write(answer.body[start : start + size])
                handler.wfile.flush()
        except OSError:
            return

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def loopback(monkeypatch):
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def answer():
    return Answer
