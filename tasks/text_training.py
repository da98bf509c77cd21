"""Stage: text training, in this process.

The training room is imported when a stage runs, not before: Lightning and peft take seconds to
load, and a run that finds its stages cached needs neither.
"""

import json
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import polars as pl
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from safetensors.torch import load_file, save_file

from naics_embed.artifacts import Artifact
from naics_embed.config.schema import ModelConfig, ObjectiveConfig, TrainingConfig
from naics_embed.figures import training_curves
from naics_embed.text.backbone import load_backbone
from tasks.encoding import backbone_of
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.stage import Result, Stage, StageContext
from tasks.texts import corpus_of, leaf_rows, of_codes, query_set

if TYPE_CHECKING:
    from naics_embed.training.fit import TextInputs, TrainedText


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    model: ModelConfig,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    shrink: float,
    frozen_layers: int,
    batch_tokens: int,
    seed: int,
) -> Result:
    """Write the trained tables, head, transformer and history."""
    from naics_embed.training.fit import TextSettings, train_text

    settings = TextSettings(model, objective, training, frozen_layers, batch_tokens, seed)
    prepared = _inputs(inputs, model, training, shrink, seed)
    progress = create_progress_artifact(
        0.0, key='text-training', description='epochs of text training'
    )

    def report(epoch: int, figures: dict[str, float]) -> None:
        context.tracking.metrics(figures, step=epoch)
        update_progress_artifact(progress, 100.0 * (epoch + 1) / training.epochs)

    trained = train_text(
        prepared,
        settings,
        context.run.root / 'checkpoints' / context.key,
        resume='never' if context.renewed and context.run.resume == 'auto' else context.run.resume,
        report=report,
    )
    context.tracking.figure(training_curves(trained.history), 'training_curves.png')
    _save(out, trained, Path(inputs['tokenizer'].path))
    return Result(
        {'model': 'model'},
        {'best_epoch': trained.best_epoch, 'temperature': trained.temperature}
        | {name: float(count) for name, count in trained.parameters.items()}
        | {'training_queries': len(prepared.train)},
        {'temperature': trained.temperature, 'epochs': len(trained.history)},
    )


def _inputs(
    inputs: dict[str, Artifact],
    model: ModelConfig,
    training: TrainingConfig,
    shrink: float,
    seed: int,
) -> 'TextInputs':
    from naics_embed.training.fit import TextInputs

    taxonomy = taxonomy_of(inputs['codebook'])
    supervised = splits_of(inputs['structure_holdout'], taxonomy) == SUPERVISED
    corpus = corpus_of(inputs, model.channels)
    labelled = of_codes(frame_of(inputs['queries']), taxonomy, supervised)
    train = labelled.filter(pl.col('split') == 'train')
    if training.max_queries is not None and len(train) > training.max_queries:
        train = train.sample(training.max_queries, seed=seed)
    held = leaf_rows(labelled.filter(pl.col('split') == 'validation'))
    validation = {
        str(kind): query_set(rows, corpus.tokens, taxonomy)
        for (kind,), rows in held.group_by('kind', maintain_order=True)
    }
    start = load_file(inputs['construction'].path)['supervised'] * shrink
    return TextInputs(
        taxonomy,
        supervised.astype(bool),
        corpus,
        query_set(train, corpus.tokens, taxonomy),
        validation,
        start,
        load_backbone(backbone_of(inputs)),
    )


def _save(out: Path, trained: 'TrainedText', tokenizer: Path) -> None:
    folder = out / 'model'
    trained.backbone.save_pretrained(folder, safe_serialization=True)
    copyfile(tokenizer, folder / 'tokenizer.json')
    save_file(trained.head.state_dict(), folder / 'head.safetensors')
    save_file({'tangents': trained.tangents}, folder / 'tables.safetensors')
    (folder / 'history.json').write_text(json.dumps(trained.history), encoding='utf-8')


text_training = Stage(
    'text-training', write, ('naics_embed.training.fit', 'naics_embed.text.backbone')
)
