"""Trains on the earlier edition, and reads from it what the revision needs: table and points."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from prefect import flow
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.revision_data import Revision
from benchmarks.revision_network import Known
from flows.configuration import artifact_root, configured
from flows.controls import SHARED
from flows.inputs import inputs_of
from flows.pipeline import PIPELINE
from flows.tracked_run import tracked_run
from naics_embed.artifacts import Artifact
from naics_embed.config.sections import flat
from naics_embed.errors import ConfigError
from naics_embed.geometry.lorentz import log0
from naics_embed.graph.losses import Queries
from naics_embed.text.backbone import load_transformer
from naics_embed.text.encoding import read_encoding
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.packed import encoder_pair
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tasks.engine.execution import Execution
from tasks.engine.stage import Run
from tasks.frames import SUPERVISED, frame_of, positions, splits_of, taxonomy_of
from tasks.source import acquire_source
from tasks.texts import leaf_rows, of_codes

FROZEN = 'frozen'


@flow(name='revision')
def train(profile: str, overrides: list[str], seed: int) -> Execution:
    """Train as a profile says; what was computed before is reused.

    The seed is that of the training: data, texts and construction are of the configured one.

    Raises:
        ConfigError: the encoder is not frozen. Points of texts are then no matter of the head
            alone, and encoding all of them for each seed takes longer than the training.
    """
    config = configured(None, profile, overrides)
    torch.set_num_threads(config.runtime.threads or os.cpu_count() or 1)
    if config.model.mode != FROZEN:
        raise ConfigError(f'model.mode={config.model.mode}: this benchmark is for {FROZEN} only')
    with tracked_run(config, profile, flat(config), name='revision') as tracker:
        run = Run(artifact_root(config), tracker, experiment=config.tracking.experiment)
        shared = Execution(PIPELINE, config, run, inputs_of(config, acquire_source(config.data)))
        seeded = replace(config, runtime=replace(config.runtime, seed=seed))
        execution = shared.derived(PIPELINE, seeded, keep=(*SHARED, 'construction'))
        execution.record('text_training')
    return execution


def known_table(execution: Execution, one: Revision) -> tuple[Known, Tensor, Tensor]:
    """Return the trained table, tangents of the later titles, and points of the test texts.

    Args:
        execution: of the training.
        one: the revision.

    Raises:
        ConfigError: the training was on another edition, or on texts that are to test it.
    """
    config = execution.config
    taxonomy = taxonomy_of(_file(execution, 'codebook'))
    if taxonomy.codes != one.before.codes:
        raise ConfigError(f'data.edition={config.data.edition}: this is not the one before')
    structure = splits_of(_file(execution, 'structure_holdout'), taxonomy)
    supervised = (structure == SUPERVISED).astype(bool)
    train = frame_of(_file(execution, 'queries')).filter(pl.col('split') == 'train')
    if seen := set(train['text']) & set(one.queries['text']):
        raise ConfigError(f'{len(seen)} test texts were trained on, such as {min(seen)!r}')
    labelled = leaf_rows(of_codes(train, taxonomy, supervised))
    titles = frame_of(_file(execution, 'codebook'))['title']
    folder = Path(_file(execution, 'text_model').path)
    curvature = float(execution.records['text_training'].facts['curvature'])
    temperature = float(execution.records['text_training'].facts['temperature'])
    head = LorentzHead.load(folder / 'head.safetensors', c=curvature, r_max=config.model.r_max)
    embed = Embeddings(execution)

    def points(texts: Sequence[str]) -> Tensor:
        with torch.no_grad():
            return head(embed(texts))

    known = Known(
        taxonomy,
        torch.from_numpy(supervised),
        load_file(folder / 'tables.safetensors')['tangents'].double(),
        log0(points(titles.to_list()), c=curvature),
        curvature,
        temperature,
        config.model.placement_ridge,
        Queries(
            points(labelled['text'].to_list()),
            torch.from_numpy(positions(labelled['code'], taxonomy)),
        ),
    )
    return known, log0(points(one.titles), c=curvature), points(one.queries['text'].to_list())


class Embeddings:
    """Embeddings by the frozen encoder: as the run has them, and others encoded when asked for."""

    def __init__(self, execution: Execution) -> None:
        """Read those of the run."""
        table = TokenTable.read(Path(_file(execution, 'tokens').path))
        self._rows = {text: row for row, text in enumerate(table.texts)}
        self._known = read_encoding(Path(_file(execution, 'encoding').path))[0]
        folder = Path(_file(execution, 'text_model').path)
        self._tokenizer = load_tokenizer(folder, execution.config.backbone.window)
        self._backbone = load_transformer(folder)
        self._batch_tokens = execution.config.backbone.batch_tokens

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return float32 ``(len(texts), width)``."""
        result = torch.empty(len(texts), self._known.shape[1])
        rows = np.array([self._rows.get(text, -1) for text in texts])
        there = rows >= 0
        result[torch.from_numpy(there)] = torch.from_numpy(self._known[rows[there]])
        missing = [texts[i] for i in np.flatnonzero(~there)]
        if missing:
            encoder = encoder_pair(self._tokenizer, self._backbone, self._backbone)
            encoded = encoder.embed(missing, self._batch_tokens)[1]
            result[torch.from_numpy(~there)] = encoded.clone()
        return result


def _file(execution: Execution, name: str) -> Artifact:
    found = execution.value(name)
    assert isinstance(found, Artifact)
    return found
