"""Trainings whose checkpoints cannot be read: what is set aside, and where they go on."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.training.checkpoint_io import read_checkpoint
from naics_embed.training.fit import train_text
from naics_embed.training.module import SELECTION
from naics_embed.training.recovery import checkpoint_to_resume
from naics_embed.training.validation import Validator
from tests.training.test_fit import assert_same

EVERYTHING = (
    'training.head_only.epochs=2',
    'training.head_only.batch=64',
    'training.head_only.validate_every=1',
    'training.head_only.patience=9',
    'training.epochs=6',
    'training.patience=2',
    'training.schedule=plateau',
    'training.plateau_patience=0',
    'model.dropout=0.1',
    'objective.dcl.weight=0.2',
    'curriculum.enabled=true',
    'curriculum.refinement=0.3',
    'curriculum.mitigation=0.6',
    'curriculum.plateau=2',
    'curriculum.hard=5',
    'curriculum.clusters=12',
    'training.health.bound_fraction=1',
)
OF_WARM, OF_MAIN = [0.1, 0.2], [0.3, 0.9, 0.2, 0.5]
"""Validation of each epoch: the second main one is best, two worse ones end the training."""
BEST = 'best-epoch=01-selection=0.9000.ckpt'
HEAD_ONLY_BEST = 'best-epoch=01-selection=0.2000.ckpt'


class EndOfProcessError(Exception):
    """Stands for whatever ends a process in the middle of a training."""


@pytest.fixture(scope='module')
def everything(settings_with):
    return settings_with(*EVERYTHING)


@pytest.fixture(scope='module')
def train(make_inputs, everything):
    """Train in a folder, where validation gives some metrics; return the result and the epochs."""

    def run(folder, metrics, *, stop_after=None, settings=everything, **options):
        epochs, selections, original = [], iter(metrics), Validator.__call__

        def report(epoch, reported):
            if epoch == stop_after:
                raise EndOfProcessError
            epochs.append(epoch)

        def validate(self, queries, codes):
            return {**original(self, queries, codes), SELECTION: next(selections)}

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Validator, '__call__', validate)
            trained = train_text(make_inputs(), settings, folder, report=report, **options)
        assert list(selections) == [], 'no epoch less is trained'
        return trained, epochs

    return run


@pytest.fixture(scope='module')
def whole(train, tmp_path_factory):
    """What a training gives that nothing disturbed."""
    trained, epochs = train(tmp_path_factory.mktemp('whole'), [*OF_WARM, *OF_MAIN])
    assert epochs == [0, 1, 2, 3, 4, 5]
    assert trained.best_epoch == 3
    return trained


@pytest.fixture(scope='module')
def interrupted(train, tmp_path_factory) -> Path:
    """Checkpoints of a training that was stopped in its last epoch."""
    folder = tmp_path_factory.mktemp('interrupted')
    with pytest.raises(EndOfProcessError):
        train(folder, [*OF_WARM, *OF_MAIN], stop_after=5)
    assert visible(folder) == [BEST, 'last.ckpt', 'settings.json']
    assert visible(folder / 'head_only') == [HEAD_ONLY_BEST, 'last.ckpt']
    return folder


@pytest.fixture
def folder(interrupted, tmp_path) -> Path:
    """A copy of them, with the times of the files."""
    return shutil.copytree(interrupted, tmp_path / 'checkpoints')


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def cut(path: Path) -> bytes:
    """Leave the beginning of a file, as a copy does that is killed or finds the disk full."""
    torn = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(torn)
    return torn


def empty(path: Path) -> bytes:
    path.write_bytes(b'')
    return b''


def garbage(path: Path) -> bytes:
    path.write_bytes(b'no checkpoint' * 1000)
    return path.read_bytes()


def zeros(path: Path) -> bytes:
    """Lose the middle of a file, not its length, as a power failure may."""
    content = path.read_bytes()
    third = len(content) // 3
    path.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    return path.read_bytes()


def weights_only(path: Path) -> bytes:
    kept = torch.load(path, weights_only=True)
    torch.save({'state_dict': kept['state_dict'], 'epoch': 2, 'callbacks': {}}, path)
    return path.read_bytes()


@pytest.mark.parametrize('damage', [cut, empty])
def test_training_goes_on_from_the_best_checkpoint(train, whole, folder, caplog, damage):
    torn = damage(folder / 'last.ckpt')
    trained, epochs = train(folder, OF_MAIN[2:])
    assert epochs == [4, 5], 'those after the best one'
    assert_same(trained, whole)
    for name, value in whole.state.items():
        assert torch.equal(trained.state[name], value), name
    assert (folder / 'last.ckpt.unreadable').read_bytes() == torn
    assert visible(folder) == [BEST, 'last.ckpt', 'last.ckpt.unreadable', 'settings.json']
    said = [record.message for record in caplog.records if record.levelname == 'WARNING']
    assert any(
        'last.ckpt is no checkpoint' in line and 'kept as' in line and '.unreadable' in line
        for line in said
    )
    assert any(f'training goes on from {folder / BEST}' in line for line in said)
    # Nothing is left to be recovered from.
    again, epochs = train(folder, [])
    assert epochs == []
    assert_same(again, whole)


def test_a_better_epoch_after_a_recovery_takes_the_place_of_the_best(train, folder):
    cut(folder / 'last.ckpt')
    with pytest.raises(EndOfProcessError):
        train(folder, [0.95, 0.97], stop_after=5)
    kept = read_checkpoint(folder / 'last.ckpt')
    (state,) = [
        state for name, state in kept['callbacks'].items() if name.startswith('BestCheckpoint')
    ]
    assert Path(state['best_model_path']).name == 'best-epoch=02-selection=0.9500.ckpt'
    trained, epochs = train(folder, [0.97, 0.98, 0.99])
    assert epochs == [5, 6, 7]
    assert trained.best_epoch == 7


@pytest.mark.parametrize('damage', [garbage, zeros, weights_only])
def test_every_kind_of_damage_is_set_aside(folder, damage):
    torn = damage(folder / 'last.ckpt')
    assert checkpoint_to_resume(folder, 'auto') == folder / BEST
    assert (folder / 'last.ckpt.unreadable').read_bytes() == torn
    assert visible(folder) == [BEST, 'last.ckpt.unreadable', 'settings.json']
    # Killed here, the next run finds the same.
    assert checkpoint_to_resume(folder, 'auto') == folder / BEST


def test_what_was_set_aside_before_is_kept(folder):
    torn = []
    for length in (100, 200, 300):
        (folder / 'last.ckpt').write_bytes(bytes(length))
        torn.append(length)
        checkpoint_to_resume(folder, 'auto')
    aside = [f'last.ckpt.unreadable{number}' for number in ('', '-2', '-3')]
    assert [(folder / name).stat().st_size for name in aside] == torn


def test_without_any_readable_checkpoint_main_epochs_begin_anew(train, whole, folder, caplog):
    cut(folder / 'last.ckpt')
    empty(folder / BEST)
    trained, epochs = train(folder, OF_MAIN)
    assert epochs == [2, 3, 4, 5], 'head-only epochs are not trained again'
    assert_same(trained, whole)
    assert f'no checkpoint in {folder} can be used: training begins anew' in caplog.text
    assert {f'{BEST}.unreadable', 'last.ckpt.unreadable', BEST} <= set(visible(folder))


def test_an_earlier_best_checkpoint_is_next(train, whole, folder, tmp_path):
    with pytest.raises(EndOfProcessError):
        train(tmp_path / 'earlier', [*OF_WARM, *OF_MAIN[:2]], stop_after=3)
    earlier = 'best-epoch=00-selection=0.3000.ckpt'
    shutil.copy2(tmp_path / 'earlier' / earlier, folder / earlier)
    before = (folder / BEST).stat().st_mtime_ns - 10**9
    os.utime(folder / earlier, ns=(before, before))
    cut(folder / 'last.ckpt')
    assert checkpoint_to_resume(folder, 'auto') == folder / BEST
    cut(folder / BEST)
    trained, epochs = train(folder, OF_MAIN[1:])
    assert epochs == [3, 4, 5]
    assert_same(trained, whole)


@pytest.mark.parametrize(
    ('torn', 'again'), [(['last.ckpt'], []), (['last.ckpt', HEAD_ONLY_BEST], OF_WARM)]
)
def test_torn_checkpoints_of_the_head_only_epochs(train, whole, folder, torn, again):
    for name in torn:
        cut(folder / 'head_only' / name)
    trained, epochs = train(folder, [*again, OF_MAIN[-1]])
    assert epochs == [*range(len(again)), 5]
    assert_same(trained, whole)
    assert {f'{name}.unreadable' for name in torn} <= set(visible(folder / 'head_only'))


def test_a_killed_recovery_of_the_head_only_epochs_begins_with_them_again(train, whole, folder):
    for name in ('last.ckpt', HEAD_ONLY_BEST):
        cut(folder / 'head_only' / name)
    with pytest.raises(EndOfProcessError):
        train(folder, OF_WARM[:1], stop_after=0)
    trained, epochs = train(folder, [*OF_WARM, OF_MAIN[-1]])
    assert epochs == [0, 1, 5]
    assert_same(trained, whole)


def test_a_torn_best_checkpoint_is_trained_again(train, whole, folder, caplog):
    torn = cut(folder / BEST)
    last = (folder / 'last.ckpt').read_bytes()
    trained, epochs = train(folder, OF_MAIN)
    assert epochs == [2, 3, 4, 5]
    assert_same(trained, whole)
    assert (folder / f'{BEST}.unreadable').read_bytes() == torn
    assert (folder / 'last.ckpt.without-best').read_bytes() == last
    assert 'last.ckpt cannot be used without its best one' in caplog.text


def test_a_torn_best_checkpoint_of_the_last_epoch_is_written_again(train, whole, folder):
    shutil.copy2(folder / BEST, folder / 'last.ckpt')
    torn = cut(folder / BEST)
    trained, epochs = train(folder, OF_MAIN[2:])
    assert epochs == [4, 5]
    assert_same(trained, whole)
    assert (folder / f'{BEST}.unreadable').read_bytes() == torn
    assert read_checkpoint(folder / BEST)['epoch'] == 1


@pytest.mark.parametrize(
    ('torn', 'said'),
    [
        ('last.ckpt', r'checkpoints/last\.ckpt is no checkpoint'),
        (
            BEST,
            r'last\.ckpt needs its best checkpoint: .*best-epoch=01-selection=0\.9000\.ckpt is',
        ),
        ('head_only/last.ckpt', r'head_only/last\.ckpt is no checkpoint'),
    ],
)
def test_a_checkpoint_that_is_insisted_on_is_not_set_aside(train, folder, torn, said):
    content = cut(folder / torn)
    before = visible(folder), visible(folder / 'head_only')
    with pytest.raises(ArtifactError, match=rf'{said}.*--resume auto.*--resume never'):
        train(folder, [], resume='last')
    assert (folder / torn).read_bytes() == content
    assert (visible(folder), visible(folder / 'head_only')) == before


def test_a_named_checkpoint_that_cannot_be_read_stays_where_it_is(train, folder, tmp_path):
    named = tmp_path / 'named' / 'some.ckpt'
    named.parent.mkdir()
    shutil.copy2(folder / 'last.ckpt', named)
    shutil.copy2(folder / BEST, named.with_name(BEST))
    cut(named.with_name(BEST))
    with pytest.raises(ArtifactError, match=rf'some\.ckpt needs .*named/{BEST} is no checkpoint'):
        train(folder, [], resume=str(named))
    cut(named)
    with pytest.raises(
        ArtifactError, match=r'some\.ckpt is no checkpoint that can be read.*name another'
    ):
        train(folder, [], resume=str(named))
    assert visible(named.parent) == sorted([BEST, 'some.ckpt'])


def test_a_checkpoint_of_other_settings_is_not_set_aside(train, folder, settings_with):
    before = visible(folder)
    other = settings_with(*EVERYTHING, 'model.head_units=16')
    with pytest.raises(ConfigError, match='of a training with other settings'):
        train(folder, [], settings=other)
    assert visible(folder) == before


@pytest.mark.parametrize(
    ('torn', 'found'),
    [
        ([], 'last.ckpt'),
        (['last.ckpt'], BEST),
        (['last.ckpt', BEST], None),
        ([BEST], None),
    ],
)
def test_other_processes_find_the_same_and_change_nothing(folder, monkeypatch, torn, found):
    """Processes of a distributed training have not met when they look for a checkpoint."""
    for name in torn:
        cut(folder / name)
    unfinished = folder / '.last.ckpt.abcdefgh.ckpt'
    unfinished.touch()
    expected = None if found is None else folder / found
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setenv('RANK', '1')
    assert checkpoint_to_resume(folder, 'auto') == expected
    assert sorted(path.name for path in folder.iterdir()) == before
    monkeypatch.setenv('RANK', '0')
    assert checkpoint_to_resume(folder, 'auto') == expected
    assert not unfinished.exists()
    monkeypatch.setenv('RANK', '1')
    assert checkpoint_to_resume(folder, 'auto') == expected
