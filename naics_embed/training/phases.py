"""The phases of a text training, in order: epochs on frozen embeddings, and those of the adapters.

Each phase is a training of its own, with settings, checkpoints and a span of the run. It takes over
what the one before it has learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from naics_embed.objective.distillation import Distillation
from naics_embed.training.inputs import TextSettings
from naics_embed.training.recovery import checkpoint_to_resume, has_checkpoints
from naics_embed.training.resume import LAST_CHECKPOINT, RESUME_AUTO, RESUME_LAST, RESUME_NEVER

HEAD_ONLY = 'head_only'
MAIN = 'main'


@dataclass(frozen=True)
class Phase:
    """One of the trainings that a run is made of.

    Attributes:
        name: `HEAD_ONLY` or `MAIN`.
        settings: what it trains, and how.
        checkpoints: its directory.
        span: where it lies in the run, in fractions of that.
        validate_every: epochs between two validations.
    """

    name: str
    settings: TextSettings
    checkpoints: Path
    span: tuple[float, float] = (0.0, 1.0)
    validate_every: int = 1


def plan_phases(settings: TextSettings, queries: int, checkpoints: Path) -> list[Phase]:
    """Return the phases of a training on a number of queries.

    With fewer queries than ``training.head_only.only_below`` the epochs on frozen embeddings are
    all of it: adapters memorise so few texts, and validation queries get worse.

    Args:
        settings: settings of the stage.
        queries: training queries.
        checkpoints: directory of the last phase; the one before it has a directory in it.
    """
    main = Phase(MAIN, settings, checkpoints)
    epochs = head_only_epochs(settings, queries)
    if not epochs:
        return [main]
    head_only = Phase(
        HEAD_ONLY,
        _head_only_settings(settings, epochs),
        checkpoints,
        validate_every=settings.training.head_only.validate_every,
    )
    if queries < settings.training.head_only.only_below:
        return [head_only]
    fraction = epochs / (epochs + settings.training.epochs)
    return [
        replace(head_only, checkpoints=checkpoints / HEAD_ONLY, span=(0.0, fraction)),
        replace(main, span=(fraction, 1.0)),
    ]


def head_only_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs on frozen embeddings come first, for a number of training queries."""
    head_only = settings.training.head_only
    if settings.model.mode == 'frozen' or not head_only.epochs:
        return 0
    steps = -(-queries // head_only.batch)
    # Only whole rounds, so that the last epoch is validated.
    rounds = -(
        -max(head_only.epochs, -(-head_only.least_steps // steps)) // head_only.validate_every
    )
    return rounds * head_only.validate_every


def planned_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs a training on a number of queries has, those of all phases."""
    phases = plan_phases(settings, queries, Path())
    return sum(phase.settings.training.epochs for phase in phases)


def resume_points(phases: Sequence[Phase], resume: str) -> list[tuple[Phase, Path | None]]:
    """Return the phases that are to be trained, each with the checkpoint that it goes on from.

    A phase before one that goes on from a checkpoint counts only if it has begun itself, since its
    history belongs to the run.

    Args:
        phases: from `plan_phases`.
        resume: see `fit.train_text`; the path of a checkpoint is one of the last phase.

    Raises:
        ArtifactError: see `recovery.checkpoint_to_resume`.
    """
    points: list[tuple[Phase, Path | None]] = []
    # What the first phases do depends on the last one, and its errors come first.
    for phase, how in reversed([*zip(phases, _resume_each(phases, resume), strict=True)]):
        follows_none = not points or points[-1][1] is None
        if follows_none or has_checkpoints(phase.checkpoints):
            points.append((phase, checkpoint_to_resume(phase.checkpoints, how)))
    return points[::-1]


def _resume_each(phases: Sequence[Phase], resume: str) -> list[str]:
    """Return how each phase resumes.

    The last checkpoint that ``last`` insists on may be of an early phase alone; one that is there
    counts, also where it cannot be read.
    """
    if resume == RESUME_NEVER:
        return [RESUME_NEVER] * len(phases)
    if resume != RESUME_LAST:
        return [RESUME_AUTO] * (len(phases) - 1) + [resume]
    there = [(phase.checkpoints / LAST_CHECKPOINT).is_file() for phase in phases]
    there[-1] = there[-1] or not any(there)
    return [RESUME_LAST if found else RESUME_AUTO for found in there]


def _head_only_settings(settings: TextSettings, epochs: int) -> TextSettings:
    """Return the settings of the epochs that train heads and codes on frozen embeddings."""
    head_only = settings.training.head_only
    training = replace(
        settings.training,
        epochs=epochs,
        batch=head_only.batch,
        lr_head=head_only.lr_head,
        lr_table=head_only.lr_table,
        lr_temperature=head_only.lr_temperature,
        patience=head_only.patience,
        accumulate=1,
    )
    model = replace(
        settings.model,
        mode='frozen',
        embedding_dropout=head_only.embedding_dropout,
        embedding_noise=head_only.embedding_noise,
    )
    distillation = settings.objective.term(Distillation)
    objective = settings.objective.changed(replace(distillation, weight=head_only.distillation))
    return replace(settings, model=model, training=training, objective=objective)
