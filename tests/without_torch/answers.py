"""What a process without torch answers: search, a coded file, tables and the service.

    python answers.py BUNDLE SOURCE OUT

reads ``OUT/texts.json`` and writes what it found below OUT.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

import naics_embed
from naics_embed import Coder, CodeTable, NaicsCoordinates, NaicsTextEncoder, Searcher
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import MissingPackageError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.text_fractions import TextParts
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine
from tests.service.service_help import wait_until

PATHS = ('/v1/codes/111110', '/v1/compare?first=111110&second=111120&q=corn', '/v1/map', '/atlas')


def refusal(call: Callable[[], Any]) -> str:
    """Return what is said of something that needs torch."""
    try:
        call()
    except MissingPackageError as error:
        return str(error)
    return ''


def main() -> None:
    bundle, source, out = map(Path, sys.argv[1:])
    texts = json.loads((out / 'texts.json').read_text(encoding='utf-8'))
    for hidden in ('torch', 'transformers'):
        try:
            import_module(hidden)
        except ImportError:
            continue
        raise AssertionError(f'{hidden} can be imported')
    coder, searcher = Coder.load(bundle), Searcher.load(bundle)
    np.save(out / 'probabilities.npy', coder.probabilities(texts))
    np.save(out / 'points.npy', searcher.place(texts))
    code_file(coder, FileJob(source, 'what', out / 'coded.csv'))
    table = CodeTable.load(bundle)
    found: dict[str, Any] = {
        'answers': [
            [asdict(hit) for hit in answer.hits]
            for answer in coder.search(texts[:3], evidence=1, ask=True)
        ],
        'classified': [
            [asdict(hit) for hit in answer.hits]
            for answer in coder.search(texts[:3], classification='isic4')
        ],
        'nearest': [[asdict(hit) for hit in hits] for hits in searcher.search(texts[:2])],
        'similar': [asdict(one) for one in table.similar('111110', k=5)],
        'rollup': table.rollup({'111110': 1.0, '722511': 2.0}).tolist(),
        'votes': TextParts.of_coder(coder).vectors('naics2022', '111110').tolist(),
        'coordinates': NaicsCoordinates(bundle).fit_transform([['722511'], ['111110']]).tolist(),
        'places': NaicsTextEncoder(bundle).fit_transform([[text] for text in texts[:3]]).tolist(),
    }
    found['refusals'] = [
        refusal(lambda: coder.learn(texts, ['111110'] * len(texts), out=out / 'learned')),
        refusal(lambda: searcher.encode(texts)),
        refusal(lambda: Coder.load(bundle, precision='bfloat16')),
        refusal(lambda: naics_embed.NaicsClassifier),
        refusal(lambda: table.points),
    ]
    engine = Engine.load(bundle, ServiceConfig().map_stretch)
    with TestClient(create_app(ServiceConfig(), lambda: engine)) as client:
        wait_until(lambda: client.get('/readyz').status_code == 200)
        found['served'] = client.get('/v1/search', params={'q': texts[0]}).json()
        found['status'] = {path: client.get(path).status_code for path in PATHS}
    (out / 'found.json').write_text(json.dumps(found), encoding='utf-8')


if __name__ == '__main__':
    main()
