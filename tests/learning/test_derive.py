"""Bundles that are derived from labelled texts, on the tiny bundle."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from naics_embed.artifacts import MANIFEST, read_json
from naics_embed.bundle.storage import MODEL_CARD, Bundle
from naics_embed.errors import ArtifactError, UserError
from naics_embed.learning.derive import derive_bundle
from naics_embed.learning.examples import own_examples
from naics_embed.learning.place import place_of
from naics_embed.learning.sources import LabelSource, learned_sources
from naics_embed.search.coder import Coder
from naics_embed.search.coder_parts import CoderParts
from naics_embed.search.storage import TERMS, TEXTS, read_queries, write_queries
from tests.learning.bundles import KINDS, source_of, ways
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

UNLIKE = ['Corn Farming', 'we are in dairy cattle and milk production', 'an office of dentists']
PLANTED = 'xyzzyplugh'
FIRM = 'firm-frobozz'


@pytest.fixture(scope='module')
def base(tmp_path_factory) -> Coder:
    folder = tmp_path_factory.mktemp('derive')
    encoder = write_tiny_encoder(folder / 'encoder')
    return Coder.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


@pytest.fixture(scope='module')
def learned(base, tmp_path_factory):
    """A bundle that knows `ways`, and what has changed."""
    out = tmp_path_factory.mktemp('learned') / 'bundle'
    said: list[str] = []
    outcome = derive_bundle(base, out, add=[source_of(base, *ways())], progress=said.append)
    assert len(said) > 2
    return Coder.load(out), outcome


def names(coder: Coder) -> list[str]:
    return [each['name'] for each in learned_sources(coder.searcher.bundle.manifest)]


def best(coder: Coder, text: str) -> tuple[str, float]:
    hit = coder.search(text, k=1)[0].hits[0]
    return hit.code, hit.probability


def test_like_texts_get_the_codes_of_the_labels(base, learned):
    coder, outcome = learned
    for code, text in KINDS.items():
        found, probability = best(coder, f'{text} near the lake')
        assert found == code
        assert probability > 0.5
    right = [best(base, f'{text} near the lake')[0] == code for code, text in KINDS.items()]
    assert sum(right) < 3
    theirs = outcome.sets[0]
    assert (theirs.name, theirs.texts, theirs.learned) == ('ours', 60, True)
    assert theirs.top1 > theirs.top1_before + 0.5
    assert theirs.ece < theirs.ece_before
    assert {row.name for row in outcome.sets[1:]} == {'index', 'plain language'}
    assert not any(row.learned for row in outcome.sets[1:])


def test_the_bundle_is_whole_and_says_what_it_knows(base, learned):
    coder, _ = learned
    path = coder.searcher.bundle.path
    manifest = Bundle.load(path, verify=True).manifest
    [record] = learned_sources(manifest)
    assert (record['name'], record['rows'], record['codes']) == ('ours', 60, 5)
    assert (record['private'], record['left_out']) == (False, {})
    assert {key for key in manifest if key != 'learned'} == set(base.searcher.bundle.manifest)
    assert learned_sources(base.searcher.bundle.manifest) == []
    texts = pl.read_parquet(path / 'coder' / TEXTS)
    assert texts['source'].drop_nulls().to_list() == ['ours'] * 60
    assert 'animal doctor near the hill 3' in texts['text']
    assert coder.search('animal doctor near the hill', evidence=3)[0].evidence[0].texts[0][0]


def test_unlike_texts_keep_their_codes(base, learned):
    coder, outcome = learned
    for text in UNLIKE[:2]:
        assert best(coder, text)[0] == best(base, text)[0]
    assert outcome.accepted(0.1)
    assert not outcome.accepted(-1.0)


def test_removal_gives_back_the_probabilities_of_the_base(base, learned, tmp_path):
    outcome = derive_bundle(learned[0], tmp_path / 'out', remove=['ours'])
    assert outcome.sets == ()
    again = Coder.load(tmp_path / 'out')
    texts = [*UNLIKE, *ways(2)[0], 'animal doctor']
    np.testing.assert_array_equal(again.probabilities(texts), base.probabilities(texts))
    assert names(again) == []
    assert again.adaptation is None
    assert again.searcher.bundle.manifest['files'].keys() == (
        base.searcher.bundle.manifest['files'].keys()
    )


def test_a_source_of_the_same_name_takes_the_place_of_the_earlier_one(base, learned, tmp_path):
    texts, codes = ways(3)
    moved = ['111150' if code == '541940' else code for code in codes]
    add = [source_of(base, texts, moved)]
    derive_bundle(learned[0], tmp_path / 'replaced', add=add)
    derive_bundle(base, tmp_path / 'fresh', add=add)
    replaced, fresh = Coder.load(tmp_path / 'replaced'), Coder.load(tmp_path / 'fresh')
    assert names(replaced) == ['ours']
    asked = [*UNLIKE, 'animal doctor near the lake', 'hair salon']
    np.testing.assert_array_equal(replaced.probabilities(asked), fresh.probabilities(asked))


def test_sources_are_kept_side_by_side_and_taken_out_one_by_one(base, tmp_path):
    texts, codes = ways(4)
    groups = [f'firm {i // 3}' for i in range(10)]
    first = source_of(base, texts[:10], codes[:10], name='first', groups=groups)
    second = source_of(base, texts[10:], codes[10:], name='second')
    derive_bundle(base, tmp_path / 'one', add=[first])
    derive_bundle(Coder.load(tmp_path / 'one'), tmp_path / 'both', add=[second])
    derive_bundle(base, tmp_path / 'at-once', add=[first, second])
    both, at_once = Coder.load(tmp_path / 'both'), Coder.load(tmp_path / 'at-once')
    assert names(both) == names(at_once) == ['first', 'second']
    # The folds differ: what a bundle holds is in the order of its codes.
    np.testing.assert_allclose(both.probabilities(UNLIKE), at_once.probabilities(UNLIKE), atol=0.01)
    derive_bundle(both, tmp_path / 'left', remove=['second'])
    left, one = Coder.load(tmp_path / 'left'), Coder.load(tmp_path / 'one')
    assert names(left) == ['first']
    np.testing.assert_allclose(left.probabilities(UNLIKE), one.probabilities(UNLIKE), atol=0.01)


def test_private_texts_leave_no_word(base, tmp_path):
    texts, codes = ways(4)
    secret = [f'{text} {PLANTED}' for text in texts]
    groups = [f'{FIRM} {i // 2}' for i in range(len(texts))]
    source = source_of(base, secret, codes, name='secret', private=True, groups=groups)
    public = source_of(base, *ways(1), name='public')
    out = tmp_path / 'out'
    outcome = derive_bundle(base, out, add=[source, public])
    assert outcome.sets[0].top1 > outcome.sets[0].top1_before
    for file in out.rglob('*'):
        content = file.read_bytes() if file.is_file() else b''
        for word in (PLANTED, PLANTED[:6], FIRM, 'river'):
            assert word.encode() not in content, file
    # Columns of parquet files may be compressed.
    terms = ' '.join(pl.read_parquet(out / 'coder' / TERMS)['term'])
    assert PLANTED[:4] not in terms
    assert 'zzyp' not in terms
    stored = pl.read_parquet(out / 'coder' / TEXTS)
    of_secret = stored.filter(source='secret')
    assert of_secret['text'].to_list() == [''] * len(texts)
    assert of_secret['group'].null_count() == len(texts)
    coder = Coder.load(out)
    answer = coder.search('animal doctor near the lake', k=1, evidence=30)[0]
    assert answer.hits[0].code == '541940'
    assert all(text for text, _ in answer.evidence[0].texts)

    more = source_of(base, *ways(2), name='more')
    with pytest.raises(ArtifactError, match=r'texts of secret are private.*give their file again'):
        derive_bundle(coder, tmp_path / 'more', add=[more])
    with pytest.raises(ArtifactError, match='texts of secret are private'):
        derive_bundle(coder, tmp_path / 'more', remove=['public'])
    derive_bundle(coder, tmp_path / 'more', add=[more, source])
    assert names(Coder.load(tmp_path / 'more')) == ['public', 'more', 'secret']
    derive_bundle(coder, tmp_path / 'less', remove=['secret', 'public'])
    less = Coder.load(tmp_path / 'less')
    np.testing.assert_array_equal(less.probabilities(UNLIKE), base.probabilities(UNLIKE))


def test_conflicting_labels_of_one_text_share(base, tmp_path):
    texts, codes = ways(4)
    said = 'wool and needles at the corner'
    texts += [said] * 4
    codes += ['459130', '459130', '459130', '314999']
    outcome = derive_bundle(base, tmp_path / 'out', add=[source_of(base, texts, codes)])
    assert outcome.groups == 21
    hits = Coder.load(tmp_path / 'out').search(said, k=2)[0].hits
    assert [hit.code for hit in hits] == ['459130', '314999']
    assert hits[0].probability == pytest.approx(3 * hits[1].probability, rel=0.01)


def test_a_label_that_the_others_speak_against_is_named_with_its_row(base, tmp_path):
    texts, codes = ways()
    codes[0] = '111150' if codes[0] != '111150' else '111140'
    outcome = derive_bundle(base, tmp_path / 'out', add=[source_of(base, texts, codes)])
    first = outcome.doubts[0]
    assert (first.source, first.row, first.text, first.stated) == ('ours', 1, texts[0], codes[0])
    assert first.found == '541940'
    assert first.weight < 0.5
    assert 'animal' not in str(outcome.to_dict())


def test_few_labels_change_little(base, tmp_path):
    texts, codes = ways(2)
    outcome = derive_bundle(base, tmp_path / 'out', add=[source_of(base, texts, codes)])
    coder = Coder.load(tmp_path / 'out')
    assert all(row.top1 >= row.top1_before - 0.05 for row in outcome.sets)
    for text in UNLIKE[:2]:
        assert best(coder, text)[0] == best(base, text)[0]


@pytest.mark.parametrize(
    ('texts', 'codes', 'message'),
    [
        (['a shop'] * 9, ['445110', '722511', '541110'] * 3, '9 texts .* too few .* at least 10'),
        ([f'shop {i}' for i in range(20)], ['445110'] * 20, 'all texts have one code'),
        ([f'shop {i}' for i in range(20)], ['4451'] * 20, 'exactly one six-digit code'),
        (['the same shop'] * 12, ['445110', '722511'] * 6, 'all texts are of one group'),
    ],
)
def test_what_cannot_be_learned_is_said(base, tmp_path, texts, codes, message):
    with pytest.raises(UserError, match=message):
        derive_bundle(base, tmp_path / 'out', add=[source_of(base, texts, codes)])
    assert not (tmp_path / 'out').exists()


def test_one_group_of_all_texts_is_an_error(base, tmp_path):
    texts, codes = ways(3)
    source = source_of(base, texts, codes, groups=['one firm'] * len(texts))
    with pytest.raises(UserError, match='one group, so none can check'):
        derive_bundle(base, tmp_path / 'out', add=[source])


def test_names_are_looked_at(base, learned, tmp_path):
    ours = source_of(base, *ways(3))
    with pytest.raises(UserError, match='two sources have one name'):
        derive_bundle(base, tmp_path / 'out', add=[ours, ours])
    with pytest.raises(UserError, match="no source 'theirs'; it has: ours"):
        derive_bundle(learned[0], tmp_path / 'out', remove=['theirs'])
    with pytest.raises(UserError, match='it has: none'):
        derive_bundle(base, tmp_path / 'out', remove=['ours'])
    for name in ('', ' ', 'a|b', 'a\nb'):
        with pytest.raises(UserError, match='cannot be the name'):
            LabelSource(name, ours.labelled)


def test_nothing_but_a_bundle_is_replaced(base, tmp_path):
    (tmp_path / 'letters').mkdir()
    (tmp_path / 'letters' / 'one.txt').write_text('dear')
    add = [source_of(base, *ways(3))]
    for out in (tmp_path / 'letters', tmp_path / 'letters' / 'one.txt'):
        with pytest.raises(UserError, match='exists and is no bundle'):
            derive_bundle(base, out, add=add)
    assert (tmp_path / 'letters' / 'one.txt').read_text() == 'dear'


def copied(coder: Coder, to: Path) -> Path:
    return Path(shutil.copytree(coder.searcher.bundle.path, to))


@pytest.mark.parametrize('name', ['base.safetensors', 'base_fusion.json', 'texts.parquet'])
def test_damage_is_found(learned, tmp_path, name):
    path = copied(learned[0], tmp_path / 'copy')
    file = path / 'coder' / name
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ArtifactError):
        Coder.load(path)
    # Also where the file breaks after the bundle was loaded.
    whole = Coder.load(copied(learned[0], tmp_path / 'second'))
    (tmp_path / 'second' / 'coder' / name).write_bytes(b'half of it')
    with pytest.raises(ArtifactError, match='damaged'):
        derive_bundle(whole, tmp_path / 'out', remove=['ours'])
    (tmp_path / 'second' / 'coder' / name).unlink()
    with pytest.raises(ArtifactError, match=r'damaged|does not exist'):
        derive_bundle(whole, tmp_path / 'out', remove=['ours'])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('fault', ['gone', 'damaged', 'empty', 'unknown'])
def test_without_the_texts_of_the_fit_nothing_is_learned(base, tmp_path, fault):
    path = copied(base, tmp_path / 'copy')
    coder = Coder.load(path)
    file = path / 'coder' / 'queries.parquet'
    queries = read_queries(path / 'coder')
    if fault == 'gone':
        file.unlink()
    elif fault == 'damaged':
        file.write_bytes(b'half of it')
    else:
        code = pl.lit('999999') if fault == 'unknown' else pl.col('code')
        kept = queries.with_columns(code=code)
        write_queries(path / 'coder', kept if fault == 'unknown' else kept.head(0))
    with pytest.raises(ArtifactError, match=r'run the pipeline again|export the table again'):
        derive_bundle(coder, tmp_path / 'out', add=[source_of(base, *ways(3))])


def test_what_the_encoders_made_of_the_texts_of_the_fit_is_read_where_it_is_there(
    base, tmp_path, monkeypatch
):
    path = copied(base, tmp_path / 'copy')
    encoded = own_examples(base)
    queries = read_queries(path / 'coder')
    trained, frozen = base.encoder.embed(queries['text'].to_list(), 2048)
    from naics_embed.geometry.lorentz import log0

    tangents = log0(base.searcher.points_of(trained), c=base.searcher.space.curvature).numpy()
    write_queries(path / 'coder', queries, frozen.numpy(), tangents)
    stored = load_file(path / 'coder' / 'queries.safetensors')
    assert stored['embeddings'].dtype == np.float16
    coder = Coder.load(base.searcher.bundle.path)
    coder.searcher.bundle = Bundle(**{**vars(coder.searcher.bundle), 'path': path})
    monkeypatch.setattr(CoderParts, 'encoder', None)
    read = own_examples(coder)
    np.testing.assert_allclose(read.embeddings, encoded.embeddings, atol=1e-3)
    np.testing.assert_allclose(read.distances, encoded.distances, atol=1e-3)
    assert read.sets == encoded.sets
    write_queries(path / 'coder', queries, frozen.numpy()[1:], tangents[1:])
    with pytest.raises(ArtifactError, match='does not fit'):
        own_examples(coder)
    (path / 'coder' / 'queries.safetensors').write_bytes(b'half of it')
    with pytest.raises(ArtifactError, match='damaged'):
        own_examples(coder)


def test_the_place_follows_from_what_is_learned(base, tmp_path):
    path = base.searcher.bundle.path
    one, two = source_of(base, *ways(3)), source_of(base, *ways(4))
    private = LabelSource(one.name, one.labelled, private=True)
    places = [place_of(tmp_path, path, [each], []) for each in (one, one, two, private)]
    assert places[0] == places[1]
    assert len(set(places)) == 3
    odd = place_of(tmp_path, path, [LabelSource('a/../b', one.labelled)], [])
    assert odd.parent.parent == tmp_path / 'learned'
    assert place_of(tmp_path, path, [], ['x']).parent.name.startswith('without-x-')


def test_the_model_card_says_what_is_in(base, tmp_path):
    path = copied(base, tmp_path / 'copy')
    (path / MODEL_CARD).write_text('# A bundle\n')
    coder = Coder.load(path, verify=False)
    derive_bundle(coder, tmp_path / 'one', add=[source_of(base, *ways(3))])
    card = (tmp_path / 'one' / MODEL_CARD).read_text()
    assert '| ours | 15 | 5 | yes |' in card
    assert MODEL_CARD in read_json(tmp_path / 'one' / MANIFEST)['files']
    again = Coder.load(tmp_path / 'one')
    derive_bundle(again, tmp_path / 'two', remove=['ours'])
    assert (tmp_path / 'two' / MODEL_CARD).read_text() == '# A bundle\n'
