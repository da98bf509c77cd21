"""The part of a bundle that a `Coder` needs beside the table and its encoder.

``coder/`` holds ``texts.parquet`` (the known texts and their codes), ``terms.parquet`` (the
vocabularies), ``evidence.safetensors`` (embeddings, classifier, postings), ``frozen.safetensors``
(the weights in which the frozen backbone differs from the trained encoder), ``fusion.json`` and
``redirections.parquet`` (cross references: code, phrase, targets). ``queries.parquet`` holds the
labelled texts to which the fusion was fitted, from which learning goes on, and
``queries.safetensors`` what the encoders made of them, and ``conformal.safetensors`` how far down
their answers the right codes stand, for sets of codes with a promised coverage.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from naics_embed.artifacts import read_json, write_json
from naics_embed.errors import ArtifactError
from naics_embed.evidence.fusion import CODE_PRIOR, Fusion
from naics_embed.evidence.known_texts import INDEXES, KnownTexts, Linear
from naics_embed.evidence.postings import Postings
from naics_embed.evidence.settings import EvidenceSettings
from naics_embed.evidence.source_gate import Adaptation, SourceGate

TEXTS = 'texts.parquet'
TERMS = 'terms.parquet'
EVIDENCE = 'evidence.safetensors'
FROZEN = 'frozen.safetensors'
FUSION = 'fusion.json'
REDIRECTIONS = 'redirections.parquet'
QUERIES = 'queries.parquet'
QUERY_ARRAYS = 'queries.safetensors'
CONFORMAL = 'conformal.safetensors'
QUERY_SCHEMA = pl.Schema({'text': pl.String(), 'code': pl.String(), 'set': pl.String()})
CODER_FILES = (TEXTS, TERMS, EVIDENCE, FROZEN, FUSION, REDIRECTIONS)


def write_evidence(
    folder: Path,
    evidence: KnownTexts,
    fusion: Fusion,
    leaves: list[str],
    adaptation: Adaptation | None = None,
) -> None:
    """Write everything but the frozen backbone into an existing folder.

    Args:
        folder: where to.
        evidence: known texts.
        fusion: weights.
        leaves: codes of the columns.
        adaptation: of a bundle that has learned labels.
    """
    pl.DataFrame(
        {
            'text': list(evidence.texts),
            'code': pl.Series([leaves[label] for label in evidence.labels.tolist()]),
        }
    ).write_parquet(folder / TEXTS)
    arrays = {
        'embeddings': evidence.embeddings.astype(np.float16),
        'linear_weights': evidence.linear.weights.astype(np.float32),
        'linear_bias': evidence.linear.bias.astype(np.float32),
    }
    if adaptation is not None:
        arrays |= {
            'gate_weights': adaptation.gate.weights.astype(np.float32),
            'gate_bias': np.array([adaptation.gate.bias]),
            'log_prior': adaptation.log_prior.astype(np.float64),
        }
        if adaptation.reliability is not None:
            arrays['reliability'] = adaptation.reliability.astype(np.float32)
    vocabularies = []
    for name in INDEXES:
        index: Postings = getattr(evidence, name)
        arrays |= {
            f'{name}_starts': index.starts,
            f'{name}_documents': index.documents,
            f'{name}_weights': index.weights,
        }
        vocabularies.append(
            pl.DataFrame(
                {
                    'index': pl.Series([name] * len(index.terms), dtype=pl.String),
                    'term': pl.Series(list(index.terms), dtype=pl.String),
                }
            )
        )
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / EVIDENCE
    )
    pl.concat(vocabularies).write_parquet(folder / TERMS)
    write_json(folder / FUSION, {**fusion.to_dict(), 'settings': asdict(evidence.settings)})


def write_redirections(folder: Path, redirections: pl.DataFrame) -> None:
    """Write the cross references that name an activity and where it belongs."""
    redirections.filter(pl.col('phrase').is_not_null() & (pl.col('targets').list.len() > 0)).select(
        'code', 'phrase', 'targets'
    ).write_parquet(folder / REDIRECTIONS)


def read_references(folder: Path) -> list[tuple[str, str, list[str]]]:
    """Return the cross references that `write_redirections` wrote: code, activity, targets.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        table = pl.read_parquet(folder / REDIRECTIONS, columns=['code', 'phrase', 'targets'])
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(
            f'{folder / REDIRECTIONS} is damaged ({error}); export the table again'
        ) from error
    usable = table.filter(pl.col('phrase').is_not_null())
    return [(code, phrase, targets) for code, phrase, targets in usable.iter_rows()]


def read_evidence(
    folder: Path, leaves: list[str], fused: tuple[str, ...]
) -> tuple[KnownTexts, Fusion, Adaptation | None]:
    """Read what `write_evidence` wrote.

    Args:
        folder: where from.
        leaves: codes of the columns, as they were written.
        fused: the scores that this version fuses.

    Raises:
        ArtifactError: a file is damaged, they do not fit each other, or other scores are fused.
    """
    stored = read_json(folder / FUSION)
    fusion = Fusion.from_dict(stored)
    learned = (*fused, CODE_PRIOR)
    if fusion.columns not in (fused, learned):
        raise ArtifactError(
            f'{folder} fuses {", ".join(fusion.columns)}, which this version does not; '
            'export the table again'
        )
    try:
        settings = EvidenceSettings(**stored['settings'])
        arrays = load_file(folder / EVIDENCE)
        texts = pl.read_parquet(folder / TEXTS)
        terms = pl.read_parquet(folder / TERMS)
        column = {code: i for i, code in enumerate(leaves)}
        labels = np.array([column[code] for code in texts['code'].to_list()], dtype=np.int64)
        embeddings = arrays['embeddings'].astype(np.float32)
        linear = Linear(arrays['linear_weights'], arrays['linear_bias'])
        indexes = {name: _postings(arrays, terms, name, len(leaves)) for name in INDEXES}
        adaptation = None
        if fusion.columns == learned:
            gate = SourceGate(arrays['gate_weights'], float(arrays['gate_bias'][0]))
            adaptation = Adaptation(gate, arrays['log_prior'], arrays.get('reliability'))
    except (KeyError, TypeError, SafetensorError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(
            f'{folder} is damaged ({type(error).__name__}: {error}); export the table again'
        ) from error
    if len(embeddings) != len(labels) or linear.weights.shape[1] != len(leaves):
        raise ArtifactError(f'the files of {folder} do not fit each other; export the table again')
    known = KnownTexts(
        texts['text'].to_list(), labels, embeddings, linear, **indexes, settings=settings
    )
    return known, fusion, adaptation


def write_queries(
    folder: Path,
    queries: pl.DataFrame,
    embeddings: np.ndarray | None = None,
    tangents: np.ndarray | None = None,
) -> None:
    """Write the labelled texts of the fit, with the columns of `QUERY_SCHEMA`.

    Args:
        folder: where to.
        queries: n texts.
        embeddings: ``(n, width)``, by the frozen backbone; kept in half precision.
        tangents: ``(n, dim)``, of their points by the trained encoder; kept in single precision,
            in which coordinates of points would lose their distances.
    """
    queries.select(pl.col(name).cast(kind) for name, kind in QUERY_SCHEMA.items()).write_parquet(
        folder / QUERIES
    )
    if embeddings is not None and tangents is not None:
        arrays: dict[str, np.ndarray] = {
            'embeddings': np.ascontiguousarray(embeddings, dtype=np.float16),
            'tangents': np.ascontiguousarray(tangents, dtype=np.float32),
        }
        save_file(arrays, folder / QUERY_ARRAYS)


def read_queries(folder: Path) -> pl.DataFrame:
    """Read what `write_queries` wrote.

    Raises:
        ArtifactError: the bundle was exported without them, or the file is damaged.
    """
    if not (folder / QUERIES).is_file():
        raise ArtifactError(
            f'{folder} has no {QUERIES}, from which learning goes on: it was exported by an '
            'earlier version; run the pipeline again'
        )
    try:
        return pl.read_parquet(folder / QUERIES).select(list(QUERY_SCHEMA))
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(
            f'{folder / QUERIES} is damaged ({error}); export the table again'
        ) from error


def read_query_arrays(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return embeddings and tangents of the queries, both float32; None where there are none.

    Args:
        folder: where from.
        count: how many queries there are.

    Raises:
        ArtifactError: the file is damaged, or of other queries.
    """
    file = folder / QUERY_ARRAYS
    if not file.is_file():
        return None
    try:
        arrays = load_file(file)
        embeddings, tangents = (arrays[name] for name in ('embeddings', 'tangents'))
    except (KeyError, SafetensorError) as error:
        raise ArtifactError(f'{file} is damaged ({error}); export the table again') from error
    if not len(embeddings) == len(tangents) == count:
        raise ArtifactError(f'{file} does not fit {QUERIES}; export the table again')
    return embeddings.astype(np.float32), tangents.astype(np.float32)


def _postings(arrays: dict[str, np.ndarray], terms: pl.DataFrame, name: str, size: int) -> Postings:
    terms = terms.filter(pl.col('index') == name)
    return Postings(
        terms['term'].to_list(),
        arrays[f'{name}_starts'],
        arrays[f'{name}_documents'],
        arrays[f'{name}_weights'],
        size,
    )
