"""Stage: text training, in this process.

The training packages are imported when the stage runs, not before: Lightning and peft take seconds
to load, and a run whose stages are cached needs neither.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, cast
from uuid import UUID

import numpy as np
import polars as pl
import yaml
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.runtime import task_run
from safetensors.torch import load_file, save_file

from naics_embed.artifacts import Artifact, atomic_file
from naics_embed.config.model import ModelConfig
from naics_embed.config.objective import ObjectiveConfig
from naics_embed.config.training import CurriculumConfig, TrainingConfig
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.backbone import load_backbone
from tasks.encoding import backbone_of
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, redirect_pairs, splits_of, taxonomy_of
from tasks.texts import as_queries, corpus_of, leaf_rows, located

if TYPE_CHECKING:
    from naics_embed.text.inputs import TextInputs
    from naics_embed.training.inputs import TrainedText

CONFIG_FILE = 'config.yaml'
"""The whole configuration of the run, beside its checkpoints."""


@dataclass(frozen=True)
class TrainingFiles:
    """The files that text training reads, each named as in the graph."""

    codebook: Artifact
    structure_holdout: Artifact
    queries: Artifact
    channels: Artifact
    tokens: Artifact
    encoding: Artifact
    construction: Artifact
    redirections: Artifact
    backbone: Mapping[str, Artifact]


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    queries: Artifact,
    channels: Artifact,
    tokens: Artifact,
    encoding: Artifact,
    construction: Artifact,
    redirections: Artifact,
    backbone: Mapping[str, Artifact],
    model: ModelConfig,
    objective: ObjectiveConfig,
    curriculum: CurriculumConfig,
    training: TrainingConfig,
    shrink: float,
    frozen_layers: int,
    batch_tokens: int,
    seed: int,
) -> Result:
    """Write the trained tables, head, transformer, adapters and history."""
    from naics_embed.training.fit import train_text
    from naics_embed.training.inputs import TextSettings
    from naics_embed.training.phases import planned_epochs
    from naics_embed.training.resume import RESUME_AUTO

    settings = TextSettings(
        model, objective, training, frozen_layers, batch_tokens, seed, curriculum
    )
    prepared = prepare_inputs(
        TrainingFiles(
            codebook,
            structure_holdout,
            queries,
            channels,
            tokens,
            encoding,
            construction,
            redirections,
            backbone,
        ),
        model,
        training,
        shrink,
        seed,
    )
    created = create_progress_artifact(
        0.0, key='text-training', description='epochs of text training'
    )
    # Prefect's annotation allows a coroutine, which only an asynchronous caller gets.
    progress = cast(UUID, created)

    def report(epoch: int, metrics: dict[str, float]) -> None:
        context.tracking.metrics(metrics, step=epoch)
        epochs = planned_epochs(settings, len(prepared.train))
        update_progress_artifact(progress, 100.0 * (epoch + 1) / epochs)

    checkpoints = context.run.root / 'checkpoints' / context.run.experiment / context.key
    if context.renewed and context.run.resume == RESUME_AUTO:
        forget_checkpoints(checkpoints)
    if context.run.config:
        with atomic_file(checkpoints / CONFIG_FILE) as temporary:
            temporary.write_text(yaml.safe_dump(dict(context.run.config)), encoding='utf-8')
    trained = train_text(prepared, settings, checkpoints, resume=context.run.resume, report=report)
    # Training that stopped early is done, too.
    update_progress_artifact(progress, 100.0)
    _save(out, trained, Path(backbone['tokenizer'].path))
    return Result(
        {'text_model': 'model'},
        {'best_epoch': trained.best_epoch, 'temperature': trained.temperature}
        | {'curvature': trained.curvature}
        | {name: float(count) for name, count in trained.parameters.items()}
        | {'training_queries': len(prepared.train)},
        {
            'temperature': trained.temperature,
            'curvature': trained.curvature,
            'epochs': len(trained.history),
            'head_only_epochs': trained.head_only_epochs,
            'best_epoch': trained.best_epoch,
        },
    )


def forget_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of an earlier training; a retry of this one finds its own."""
    if (task_run.run_count or 1) <= 1 and folder.is_dir():
        shutil.rmtree(folder)


def prepare_inputs(
    files: TrainingFiles,
    model: ModelConfig,
    training: TrainingConfig,
    shrink: float,
    seed: int,
) -> 'TextInputs':
    """Read what text training starts from, from the files of the stages before it."""
    from naics_embed.text.inputs import TextInputs

    taxonomy = taxonomy_of(files.codebook)
    supervised = splits_of(files.structure_holdout, taxonomy) == SUPERVISED
    corpus = corpus_of(files.tokens, files.encoding, files.channels, model.channels)
    labelled = located(labelled_queries(files.queries), corpus.tokens, taxonomy)
    labelled = labelled.filter(pl.Series(supervised[labelled['target']]))
    train = labelled.filter(pl.col('split') == 'train')
    if training.queries.most_words is not None:
        words = pl.col('text').str.count_matches(r'\S+')
        train = train.filter(words <= training.queries.most_words)
    if training.max_queries is not None and len(train) > training.max_queries:
        train = train.sample(training.max_queries, seed=seed)
    plain = train.filter(pl.col('kind') == 'plain')
    train = pl.concat([train, *[plain] * (training.queries.plain_repeats - 1)])
    held = leaf_rows(labelled.filter(pl.col('split') == 'validation'))
    validation = {
        str(kind): as_queries(rows) for (kind,), rows in held.group_by('kind', maintain_order=True)
    }
    redirections = frame_of(files.redirections)
    start = load_file(files.construction.path)['supervised'] * shrink
    return TextInputs(
        taxonomy,
        supervised.astype(bool),
        corpus,
        replace(
            as_queries(train),
            against=_against(train, redirections, taxonomy),
        ),
        validation,
        start,
        load_backbone(backbone_of(files.backbone)),
        redirect_pairs(redirections, taxonomy),
    )


def labelled_queries(queries: Artifact) -> pl.DataFrame:
    """Stream text, code, kind and split of the queries that training and validation read."""
    used = pl.col('split').is_in(['train', 'validation'])
    rows = pl.scan_parquet(queries.path).filter(used).select('text', 'code', 'kind', 'split')
    return rows.collect(engine='streaming')


def _against(rows: pl.DataFrame, redirections: pl.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    """Return the codes that each activity phrase was redirected from, int64 ``(m, r)``, −1 if none.

    An ancestor or descendant of the right code is no wrong answer, so lineal rows are left out.
    """
    phrased = redirections.filter(pl.col('phrase').is_not_null() & ~pl.col('lineal'))
    sources: dict[str, dict[str, None]] = {}
    for phrase, code in phrased.select('phrase', 'code').iter_rows():
        sources.setdefault(phrase, {})[code] = None
    phrases = rows.with_row_index().filter(pl.col('kind') == 'redirection')
    by_row = {
        row: codes
        for row, text, right in phrases.select('index', 'text', 'code').iter_rows()
        if (codes := [code for code in sources.get(text, {}) if code != right])
    }
    width = max(map(len, by_row.values()), default=1)
    result = np.full((len(rows), width), -1, dtype=np.int64)
    for row, codes in by_row.items():
        result[row, : len(codes)] = taxonomy.indices(codes)
    return result


def _save(out: Path, trained: 'TrainedText', tokenizer: Path) -> None:
    folder = out / 'model'
    trained.backbone.save_pretrained(folder, safe_serialization=True)
    copyfile(tokenizer, folder / 'tokenizer.json')
    save_file(trained.head.state_dict(), folder / 'head.safetensors')
    save_file({'tangents': trained.tangents}, folder / 'tables.safetensors')
    save_file(trained.state, folder / 'state.safetensors')
    # In a folder of their own: transformers would load an adapter next to the weights.
    (folder / 'adapters').mkdir()
    for name, weights in trained.adapters.items():
        save_file(weights, folder / 'adapters' / f'{name}.safetensors')
    (folder / 'history.json').write_text(json.dumps(trained.history), encoding='utf-8')
