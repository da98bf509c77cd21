"""Searching, coding, showing and serving where torch is not installed."""

import csv
import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from naics_embed import Coder, CodeTable, Searcher
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ROOT = Path(__file__).resolve().parents[2]
ROWS = 200
TEXTS = ['corn farming', 'shoe repair', 'dental offices and clinics, and more of them']
"""A few texts, and in the file two hundred: with torch, these are encoded by it."""

WORK = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import numpy as np
from naics_embed import Coder, CodeTable, NaicsCoordinates, NaicsTextEncoder, Searcher
from naics_embed.cli.main import main
from naics_embed.errors import MissingPackageError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.text_fractions import TextParts

bundle, source, out = map(Path, sys.argv[1:])
texts = json.loads((out / 'texts.json').read_text())
for hidden in ('torch', 'transformers'):
    try:
        __import__(hidden)
    except ImportError:
        continue
    raise AssertionError(f'{hidden} can be imported')
coder = Coder.load(bundle)
np.save(out / 'probabilities.npy', coder.probabilities(texts))
[answer, *_] = coder.search(texts[:3], evidence=1, ask=True)
coder.search(texts[:3], classification='isic4')
code_file(coder, FileJob(source, 'what', out / 'coded.csv'))
np.save(out / 'points.npy', Searcher.load(bundle).place(texts))
hits = Searcher.load(bundle).search(texts[:2], k=4)
similar = CodeTable.load(bundle).similar('111110', k=5)
TextParts.of_coder(coder).vectors('naics2022', '111110')
found = {
    'hits': [asdict(hit) for hit in answer.hits],
    'near': [[asdict(hit) for hit in each] for each in hits],
    'similar': [asdict(one) for one in similar],
    'missing': [],
    'status': {},
}
for call in (
    lambda: coder.learn(texts, ['111110'] * len(texts), out=out / 'learned'),
    lambda: Searcher.load(bundle).encode(texts),
    lambda: Coder.load(bundle, precision='bfloat16'),
    lambda: __import__('naics_embed').NaicsClassifier,
):
    try:
        call()
    except MissingPackageError as error:
        found['missing'].append(str(error))
from fastapi.testclient import TestClient
from naics_embed.config.service import ServiceConfig
from tests.service.opened import opened
with opened(bundle) as client:
    found['served'] = client.get('/v1/search', params={'q': texts[0], 'evidence': 1}).json()
    for path in ('/v1/codes/111110', '/v1/compare?first=111110&second=111120&q=corn', '/v1/map'):
        found['status'][path] = client.get(path).status_code
found['modules'] = sorted({name.partition('.')[0] for name in sys.modules})
(out / 'found.json').write_text(json.dumps(found))
"""
