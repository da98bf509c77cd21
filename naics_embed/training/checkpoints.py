"""Checkpoints of a text training: the last one, the best one, and where training ends from one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn

from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.training.checkpoint_io import copy_checkpoint, read_checkpoint
from naics_embed.training.module import SELECTION
from naics_embed.training.resume import LAST_CHECKPOINT

BEST_NAME = 'best-epoch={epoch:02d}-selection={' + SELECTION + ':.4f}'


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch by validation, its metric in its name.

    A resumed training finds it again beside the checkpoint that it goes on from, which may have
    been moved, or lie in the folder of another training.
    """

    def __init__(self, folder: Path, every: int, resume_from: Path | None) -> None:
        """Set up.

        Args:
            folder: where it is kept.
            every: epochs between two validations.
            resume_from: the checkpoint that this training goes on from.
        """
        super().__init__(
            dirpath=folder,
            filename=BEST_NAME,
            monitor=SELECTION,
            mode='max',
            save_top_k=1,
            every_n_epochs=every,
            save_on_train_epoch_end=True,
            auto_insert_metric_name=False,
            # An epoch that is trained once more replaces its own file.
            enable_version_counter=False,
        )
        self.folder = folder
        self.resume_from = resume_from or folder / LAST_CHECKPOINT

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best epoch so far. Raises ArtifactError where its checkpoint is gone."""
        name = Path(state_dict['best_model_path']).name
        target = self.folder / name
        source = best_file(name, self.resume_from, self.folder)
        if source is None:
            self._train_better_again(name)
            return
        if source.parent.resolve() != self.folder.resolve():
            copy_checkpoint(source, target)
        here = {
            'dirpath': str(self.dirpath),
            'best_model_path': str(target),
            'kth_best_model_path': str(target),
            'best_k_models': {str(target): state_dict['best_model_score']},
        }
        super().load_state_dict({**state_dict, **here})

    def _train_better_again(self, name: str) -> None:
        """Forget a best epoch that a better one replaced before the last checkpoint was written.

        The better one was written after it, and is trained and found once more. Its file stays
        until then: a training that is killed before that needs it.
        """
        last = self.resume_from
        better: list[Path] = []
        if last.parent.resolve() == self.folder.resolve():
            written = last.stat().st_mtime_ns
            best = self.folder.glob('best-*.ckpt')
            better = [path for path in best if path.stat().st_mtime_ns > written]
        if not better:
            raise ArtifactError(
                f'the best checkpoint so far, {name}, is not beside {last}: put it there, or train '
                'with --resume never'
            )


def best_name(kept: Mapping[str, Any]) -> str | None:
    """Return the name of the best checkpoint that a checkpoint records, or None."""
    for key, state in kept['callbacks'].items():
        if key.startswith(BestCheckpoint.__name__):
            return Path(state['best_model_path']).name or None
    return None


def best_file(name: str, resume_from: Path, folder: Path) -> Path | None:
    """Return where a best checkpoint is: beside the one to resume from, or in ``folder``."""
    for path in (resume_from.with_name(name), folder / name):
        if path.is_file():
            return path
    return None


def last_checkpoint(folder: Path, every: int) -> ModelCheckpoint:
    """Return a callback that keeps ``last.ckpt`` of every so many epochs.

    It is written at the end of an epoch, so that the history of the validated epoch is in it.
    """
    return ModelCheckpoint(
        dirpath=folder,
        filename=Path(LAST_CHECKPOINT).stem,
        save_top_k=1,
        every_n_epochs=every,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def epochs_to_train(checkpoint: Path, module: nn.Module, epochs: int, patience: int) -> int:
    """Return the epoch where training ends that goes on from a checkpoint.

    Args:
        checkpoint: its path.
        module: what is trained.
        epochs: number of epochs of the whole training, its end unless it has stopped early.
        patience: validations without a better metric that end it.

    Raises:
        ArtifactError: the file is no checkpoint of a text training.
        ConfigError: it is of a training with other settings.
    """
    kept = read_checkpoint(checkpoint)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    for name, value in kept['state_dict'].items():
        if shapes.get(name) != tuple(value.shape):
            raise ConfigError(
                f'{checkpoint} is of a training with other settings: it holds {name} of shape '
                f'{tuple(value.shape)}, here it is {shapes.get(name, "absent")}'
            )
    waited = [
        state['wait_count']
        for name, state in kept['callbacks'].items()
        if name.startswith(EarlyStopping.__name__)
    ]
    stopped = any(count >= patience for count in waited)
    return int(kept['epoch']) + 1 if stopped else epochs
