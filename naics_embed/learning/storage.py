"""The files of a bundle that is derived from another one.

``coder/texts.parquet`` has two more columns, ``source`` and ``group``; ``base.safetensors`` and
``base_fusion.json`` hold the classifier and the fusion of the bundle without what it has learned,
to which removal leads back, and ``base_conformal.safetensors`` its scores for sets of codes.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from naics_embed.artifacts import MANIFEST, atomic_directory, checksum, read_json, write_json
from naics_embed.bundle.storage import CODER, METRICS, MODEL_CARD, TRANSPARENCY
from naics_embed.errors import ArtifactError, UserError
from naics_embed.evidence.fusion import Fusion
from naics_embed.evidence.known_texts import KnownTexts, Linear, index_texts
from naics_embed.export.transparency import transparency_text
from naics_embed.learning.fit import Learned
from naics_embed.learning.outcome import Outcome
from naics_embed.learning.sources import LEARNED, SourceTexts
from naics_embed.search.coder import Coder
from naics_embed.search.exact import DECIDED
from naics_embed.search.storage import CONFORMAL, TEXTS, write_evidence

BASE = 'base.safetensors'
BASE_FUSION = 'base_fusion.json'
BASE_CONFORMAL = 'base_conformal.safetensors'


def check_out(out: Path) -> None:
    """Raise UserError where writing a bundle would replace something else."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise UserError(f'{out} exists and is no bundle; name another directory')


def read_base(coder: Coder) -> tuple[KnownTexts, Fusion]:
    """Return known texts and fusion of a bundle without what it has learned.

    Raises:
        ArtifactError: a file is damaged.
    """
    folder = coder.searcher.bundle.path / CODER
    if coder.adaptation is None:
        return coder.evidence, coder.fusion
    known = coder.evidence
    try:
        arrays = load_file(folder / BASE)
        linear = Linear(arrays['linear_weights'], arrays['linear_bias'])
        source = pl.read_parquet(folder / TEXTS, columns=['source'])['source']
        own = np.flatnonzero(source.is_null().to_numpy())
        texts = index_texts(
            [known.texts[row] for row in own.tolist()],
            known.labels[own],
            known.embeddings[own],
            linear,
            known.settings,
        )
    except (
        FileNotFoundError,
        IndexError,
        KeyError,
        ValueError,
        SafetensorError,
        pl.exceptions.PolarsError,
    ) as error:
        raise ArtifactError(
            f'{folder} is damaged ({type(error).__name__}: {error}); learn again from the bundle '
            'that had learned nothing'
        ) from error
    return texts, Fusion.from_dict(read_json(folder / BASE_FUSION))


def write_derived(
    coder: Coder,
    out: Path,
    learned: Learned,
    stored: SourceTexts,
    base: tuple[KnownTexts, Fusion],
    records: list[dict[str, Any]],
    outcome: Outcome,
    reliability: np.ndarray,
) -> None:
    """Write a bundle that has learned, whole or not at all.

    Args:
        coder: of the bundle that it is derived from.
        out: its directory.
        learned: what it knows.
        stored: the texts of all sources.
        base: known texts and fusion without them.
        records: of the sources, for the manifest.
        outcome: for the model card.
        reliability: ``(n,)``, of the label of each text.
    """
    known, fusion = base
    with atomic_directory(out) as folder:
        target = _copied(coder, folder)
        # The scores are of answers of the bundle that had learned nothing.
        if (target / CONFORMAL).is_file():
            (target / CONFORMAL).rename(target / BASE_CONFORMAL)
        # Known texts are in the order of their labels, the bundle's own before the others.
        labels = np.concatenate([known.labels, stored.codes])
        order = np.argsort(labels, kind='stable')
        trusted = np.concatenate([np.full(len(known.texts), DECIDED), reliability])[order]
        adaptation = replace(learned.adaptation, reliability=trusted.astype(np.float32))
        write_evidence(target, learned.evidence, learned.fusion, _codes(coder), adaptation)
        none: list[str | None] = [None] * len(known.texts)
        table = pl.read_parquet(target / TEXTS).with_columns(
            source=_ordered([*none, *stored.source], order),
            group=_ordered([*none, *stored.kept_groups], order),
        )
        table.write_parquet(target / TEXTS)
        arrays = {'linear_weights': known.linear.weights, 'linear_bias': known.linear.bias}
        save_file(
            {name: np.ascontiguousarray(value) for name, value in arrays.items()}, target / BASE
        )
        write_json(target / BASE_FUSION, fusion.to_dict())
        _finish(folder, coder.searcher.bundle.manifest, records, outcome)


def write_base(coder: Coder, out: Path, base: tuple[KnownTexts, Fusion]) -> Outcome:
    """Write the bundle without anything learned."""
    outcome = Outcome((), 0)
    with atomic_directory(out) as folder:
        target = _copied(coder, folder)
        for name in (BASE, BASE_FUSION):
            (target / name).unlink(missing_ok=True)
        if (target / BASE_CONFORMAL).is_file():
            (target / BASE_CONFORMAL).rename(target / CONFORMAL)
        write_evidence(target, *base, _codes(coder))
        _finish(folder, coder.searcher.bundle.manifest, [], outcome)
    return outcome


def _copied(coder: Coder, folder: Path) -> Path:
    copytree(coder.searcher.bundle.path, folder, dirs_exist_ok=True)
    return folder / CODER


def _codes(coder: Coder) -> list[str]:
    return list(coder.leaf_codes)


def _finish(
    folder: Path, manifest: dict[str, Any], records: list[dict[str, Any]], outcome: Outcome
) -> None:
    """Write model card and manifest of a bundle whose other files are there."""
    card = folder / MODEL_CARD
    if card.is_file():
        text = card.read_text(encoding='utf-8').split(HEADING)[0].rstrip() + '\n'
        card.write_text(text + (_section(records, outcome) if records else ''), encoding='utf-8')
    kept = {name: value for name, value in manifest.items() if name not in ('files', LEARNED)}
    if records:
        kept[LEARNED] = records
    page = folder / TRANSPARENCY
    if page.is_file():
        page.write_text(transparency_text(kept, read_json(folder / METRICS)), encoding='utf-8')
    files = {
        file.relative_to(folder).as_posix(): checksum(file)[0]
        for file in sorted(folder.rglob('*'))
        if file.is_file() and file.name != MANIFEST
    }
    write_json(folder / MANIFEST, {**kept, 'files': files})


HEADING = '\n## Learned from labelled texts\n'


def _section(records: list[dict[str, Any]], outcome: Outcome) -> str:
    lines = [HEADING, '| source | texts | codes | texts are kept |', '|---|---|---|---|']
    lines += [
        f'| {each["name"]} | {each["rows"]:,} | {each["codes"]} '
        f'| {"no" if each["private"] else "yes"} |'
        for each in records
    ]
    lines += ['', '| texts | top-1 before | after | ECE before | after |', '|---|---|---|---|---|']
    lines += [
        f'| {row.name} ({row.texts:,}) | {row.top1_before:.3f} | {row.top1:.3f} '
        f'| {row.ece_before:.3f} | {row.ece:.3f} |'
        for row in outcome.sets
    ]
    return '\n'.join(lines) + '\n'


def _ordered(values: Sequence[str | None], order: np.ndarray) -> pl.Series:
    return pl.Series([values[i] for i in order.tolist()], dtype=pl.String)
