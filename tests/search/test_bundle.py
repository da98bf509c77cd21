import shutil

import numpy as np
import polars as pl
import pytest

from naics_embed import __version__
from naics_embed.artifacts import read_json
from naics_embed.bundle.storage import (
    BUNDLE_FILES,
    DISTANCE_NOTE,
    ENCODER_FILES,
    FORMAT,
    Bundle,
    coordinate_names,
    write_bundle,
)
from naics_embed.errors import ArtifactError
from tests.tiny_bundle import (
    FACTS,
    METRICS,
    SPACE,
    UNSUPERVISED,
    VINTAGE,
    change_manifest,
    tiny_codebook,
    title_tangents,
)


@pytest.fixture(scope='module')
def codebook() -> pl.DataFrame:
    return tiny_codebook()


@pytest.fixture
def write(codebook, encoder):
    """Write a bundle, with changes to its parts."""

    def write(path, **changes):
        parts = {
            'codebook': codebook,
            'supervised': np.ones(len(codebook), dtype=bool),
            'tangents': np.zeros((len(codebook), SPACE.dim)),
            'encoder': encoder,
            'space': SPACE,
            'metrics': METRICS,
            'facts': FACTS,
        }
        write_bundle(path, **(parts | changes))

    return write


def contents(folder) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob('*')
        if file.is_file()
    }


def test_what_was_written_is_read(bundle_path, codebook, encoder):
    bundle = Bundle.load(bundle_path)
    assert bundle.space == SPACE
    assert bundle.metrics() == METRICS
    assert bundle.codes().select(codebook.columns).equals(codebook)
    assert bundle.manifest['source'] == FACTS['source']
    assert bundle.manifest['codes'] == len(codebook)
    assert bundle.manifest['distance'] == DISTANCE_NOTE
    assert bundle.manifest['library_version'] == __version__
    for name in ENCODER_FILES:
        assert (bundle.encoder / name).read_bytes() == (encoder / name).read_bytes()


def test_tangents_keep_the_precision_of_float32(bundle_path, codebook, encoder):
    wanted = title_tangents(encoder, codebook['title'].to_list())
    read = Bundle.load(bundle_path).tangents()
    assert read.dtype == np.float64
    assert read.shape == (len(codebook), SPACE.dim)
    np.testing.assert_array_equal(read, wanted.astype(np.float32).astype(np.float64))


def test_columns_of_the_table(bundle_path, codebook):
    table = Bundle.load(bundle_path).codes()
    coordinates = coordinate_names(SPACE.dim)
    assert table.columns == [*codebook.columns, 'supervised', 'radius', *coordinates]
    assert {table.schema[name] for name in coordinates} == {pl.Float32()}
    assert table.filter(~pl.col('supervised'))['code'].to_list() == list(UNSUPERVISED)
    assert table['vintage'].unique().to_list() == [VINTAGE]
    norms = table.select(coordinates).to_numpy().astype(np.float64)
    np.testing.assert_allclose(table['radius'], np.linalg.norm(norms, axis=1), rtol=1e-6)
    assert table['radius'].max() < SPACE.r_max


def test_sectors_have_both_spellings(bundle_path):
    table = Bundle.load(bundle_path).codes()
    assert table.filter(pl.col('code') == '31')['official'].item() == '31-33'


def test_the_manifest_lists_every_file(bundle_path):
    manifest = read_json(bundle_path / 'manifest.json')
    assert set(manifest['files']) == set(contents(bundle_path)) - {'manifest.json'}
    assert set(manifest['files']) == set(BUNDLE_FILES)


def test_equal_input_gives_equal_bytes(write, tmp_path):
    write(tmp_path / 'a')
    write(tmp_path / 'b')
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')


@pytest.mark.parametrize(
    ('dim', 'first', 'last'), [(2, 'x00', 'x01'), (100, 'x00', 'x99'), (101, 'x000', 'x100')]
)
def test_coordinate_names_sort_as_they_count(dim, first, last):
    names = coordinate_names(dim)
    assert (names[0], names[-1], len(names)) == (first, last, dim)
    assert sorted(names) == names


@pytest.mark.parametrize('name', BUNDLE_FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f'lacks {name}'):
        Bundle.load(copy, verify=False)


@pytest.mark.parametrize('name', BUNDLE_FILES)
def test_an_altered_file_is_named(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=f'{name} was altered'):
        Bundle.load(copy)


def test_checksums_are_left_out_on_request(copy):
    with (copy / 'metrics.json').open('a') as stream:
        stream.write('\n')
    assert Bundle.load(copy, verify=False).metrics() == METRICS


def test_another_format_version_is_refused(copy):
    change_manifest(copy, format=FORMAT + 1, library_version='9.9')
    with pytest.raises(ArtifactError, match=rf'format {FORMAT + 1}, this version reads .*9\.9'):
        Bundle.load(copy)


def test_a_folder_without_manifest_is_no_bundle(tmp_path):
    with pytest.raises(ArtifactError, match=r'no bundle.*manifest\.json'):
        Bundle.load(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'space': ...}, 'incomplete .*space'),
        ({'space': {'dim': 8}}, 'incomplete .*curvature'),
        ({'files': ...}, 'incomplete .*files'),
        ({'files': {}}, r'does not list codes\.parquet'),
    ],
)
def test_an_incomplete_manifest_is_refused(copy, changes, message):
    change_manifest(copy, **changes)
    with pytest.raises(ArtifactError, match=message):
        Bundle.load(copy)


@pytest.mark.parametrize('content', ['[]', '3', '{"format":'])
def test_a_manifest_that_is_none_is_refused(copy, content):
    (copy / 'manifest.json').write_text(content)
    with pytest.raises(ArtifactError, match=r'manifest\.json'):
        Bundle.load(copy)


def test_a_table_that_does_not_fit_is_refused(write, codebook, tmp_path):
    with pytest.raises(ArtifactError, match=r'\(3, 8\) do not fit 2125 codes in 8 dimensions'):
        write(tmp_path / 'bundle', tangents=np.zeros((3, SPACE.dim)))
    with pytest.raises(ArtifactError, match='do not fit'):
        write(tmp_path / 'bundle', tangents=np.zeros((len(codebook), SPACE.dim + 1)))
    with pytest.raises(ArtifactError, match=r'supervised of shape \(3,\)'):
        write(tmp_path / 'bundle', supervised=np.ones(3, dtype=bool))
    assert list(tmp_path.iterdir()) == []


def test_a_tangent_that_is_no_number_is_refused(write, codebook, tmp_path):
    tangents = np.zeros((len(codebook), SPACE.dim))
    tangents[1, 3] = np.nan
    with pytest.raises(ArtifactError, match=f'tangent of code {codebook["code"][1]} is not finite'):
        write(tmp_path / 'bundle', tangents=tangents)


@pytest.mark.parametrize('name', ENCODER_FILES)
def test_an_encoder_without_a_file_is_refused(write, encoder, tmp_path, name):
    folder = shutil.copytree(encoder, tmp_path / 'encoder')
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f'lacks {name}'):
        write(tmp_path / 'bundle', encoder=folder)
    assert not (tmp_path / 'bundle').exists()


def test_only_the_files_of_an_encoder_are_taken(write, encoder, tmp_path):
    folder = shutil.copytree(encoder, tmp_path / 'encoder')
    (folder / 'tables.safetensors').write_bytes(b'of the training run')
    write(tmp_path / 'bundle', encoder=folder)
    assert set(contents(tmp_path / 'bundle')) == {*BUNDLE_FILES, 'manifest.json'}


def test_an_existing_bundle_is_replaced_whole(write, codebook, tmp_path):
    write(tmp_path / 'bundle')
    (tmp_path / 'bundle' / 'stray').touch()
    write(tmp_path / 'bundle', tangents=np.ones((len(codebook), SPACE.dim)))
    assert (Bundle.load(tmp_path / 'bundle').tangents() == 1).all()
    assert not (tmp_path / 'bundle' / 'stray').exists()
    assert [path.name for path in tmp_path.iterdir()] == ['bundle']


def test_a_failed_write_leaves_the_old_bundle(write, codebook, tmp_path):
    write(tmp_path / 'bundle')
    before = contents(tmp_path / 'bundle')
    with pytest.raises(TypeError, match='not JSON serializable'):
        write(
            tmp_path / 'bundle',
            tangents=np.ones((len(codebook), SPACE.dim)),
            facts={'source': object()},
        )
    assert contents(tmp_path / 'bundle') == before
    assert [path.name for path in tmp_path.iterdir()] == ['bundle']


def test_facts_do_not_override_what_a_bundle_is(write, tmp_path):
    write(tmp_path / 'bundle', facts={'format': 'mine', 'files': {}, 'run': 'abc'})
    bundle = Bundle.load(tmp_path / 'bundle')
    assert bundle.manifest['format'] == FORMAT
    assert bundle.manifest['run'] == 'abc'


def test_a_bundle_without_a_disk_has_none(bundle_path):
    assert Bundle.load(bundle_path).disk() is None


def test_the_disk_is_read_in_the_order_of_the_codes(write, codebook, tmp_path):
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (len(codebook), 2))
    frame = codebook.select('code', x=pl.Series(points[:, 0]), y=pl.Series(points[:, 1]))
    frame.reverse().write_parquet(tmp_path / 'disk.parquet')
    write(tmp_path / 'bundle', disk=tmp_path / 'disk.parquet')
    bundle = Bundle.load(tmp_path / 'bundle')
    assert 'disk.parquet' in bundle.manifest['files']
    np.testing.assert_array_equal(bundle.disk(), points)


def test_a_code_without_a_point_is_named(write, codebook, tmp_path):
    frame = codebook.select('code', x=pl.lit(0.1), y=pl.lit(0.2))
    frame.filter(pl.col('code') != '111150').write_parquet(tmp_path / 'disk.parquet')
    write(tmp_path / 'bundle', disk=tmp_path / 'disk.parquet')
    with pytest.raises(ArtifactError, match='lacks code 111150'):
        Bundle.load(tmp_path / 'bundle').disk()
