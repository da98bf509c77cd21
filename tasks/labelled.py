"""Stage: labelled texts of the user, each with its role."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.census.edition import TEXTS_OF, NaicsEdition
from naics_embed.census.index_entries import read_index
from naics_embed.census.sources import SourceKind
from naics_embed.config.data import LabelledConfig, RolesConfig
from naics_embed.data.plain_language import plain_language
from naics_embed.errors import UserError
from naics_embed.learning.groups import group_texts
from naics_embed.learning.labelled import Columns, read_labelled
from naics_embed.supervision.labelled_roles import LEFT_OUT, labelled_roles
from naics_embed.supervision.leakage import count_leaks
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, taxonomy_of
from tasks.source import source_of

SCHEMA = pl.Schema(
    {'text': pl.String(), 'code': pl.String(), 'kind': pl.String(), 'split': pl.String()}
)
KIND = 'labelled'


def write(
    out: Path,
    context: StageContext,
    *,
    source: Mapping[str, Artifact],
    source_kind: SourceKind,
    edition: dict[str, Any],
    codebook: Artifact,
    redirections: Artifact,
    labelled_files: Mapping[str, Artifact] | None = None,
    columns: LabelledConfig,
    roles: RolesConfig,
    seed: int,
) -> Result:
    """Write ``labelled.parquet``; without files of the user it has no row."""
    files = [Path(file.path) for file in (labelled_files or {}).values()]
    frame, metrics = SCHEMA.to_frame(), {'texts': 0, 'leaks_after_draw': 0}
    if files:
        if NaicsEdition.from_dict(edition).name != TEXTS_OF:
            raise UserError(
                f'data.labelled is for the edition {TEXTS_OF} only; leave data.labelled.files empty'
            )
        entries = read_index(source_of(source, source_kind, edition), taxonomy_of(codebook))
        codes, references = frame_of(codebook), frame_of(redirections)
        own = plain_language()
        trained = own.filter(pl.col('split') == 'train')
        named = [codes[name] for name in ('title', 'description', 'illustrative', 'excluded')]
        training = pl.concat([*named, references['phrase'], trained['text'], entries['text']])
        held = own.filter(pl.col('split') != 'train')['text'].to_list()
        frame, metrics = _drawn(
            files,
            codes['code'].to_list(),
            training.drop_nulls().to_list(),
            held,
            columns,
            roles,
            seed,
        )
    frame.write_parquet(out / 'labelled.parquet')
    return Result({'labelled': 'labelled.parquet'}, dict(metrics))


def _drawn(
    files: list[Path],
    codes: list[str],
    training: list[str],
    held_out: list[str],
    columns: LabelledConfig,
    roles: RolesConfig,
    seed: int,
) -> tuple[pl.DataFrame, dict[str, int]]:
    named = Columns(columns.text_column, columns.code_column, columns.group_column)
    texts: list[str] = []
    labels: list[str] = []
    groups: list[str | None] = []
    without = 0
    leaves = [code for code in codes if len(code) == 6]
    for file in files:
        read = read_labelled(
            file, named, codes, vintage=columns.year, max_unknown=columns.max_unknown
        )
        chosen = read.chosen(np.flatnonzero(read.labels >= 0))
        without += len(read) - len(chosen) + sum(read.left_out.values())
        texts += chosen.texts
        labels += [leaves[label] for label in chosen.labels.tolist()]
        groups += [None if group is None else f'{file.name}/{group}' for group in chosen.groups]
    found = labelled_roles(
        texts,
        group_texts(texts, groups, roles.jaccard),
        training,
        held_out,
        fractions={'validation': roles.validation, 'test': roles.test},
        seed=seed,
        jaccard=roles.jaccard,
    )
    frame = pl.DataFrame(
        {'text': texts, 'code': labels, 'kind': [KIND] * len(texts), 'split': found}, schema=SCHEMA
    ).filter(pl.col('split') != LEFT_OUT)
    in_training = frame.filter(pl.col('split') == 'train')['text'].to_list()
    leaks = count_leaks(
        frame.filter(pl.col('split') != 'train')['text'].to_list(),
        [*training, *in_training],
        roles.jaccard,
    )
    counts = {f'texts_{role.replace(" ", "_")}': n for role, n in Counter(found).items()}
    return frame, {
        'texts': len(frame),
        'rows_without_one_code': without,
        'leaks_after_draw': leaks,
        **counts,
    }
