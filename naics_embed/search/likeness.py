"""How alike codes are by what their firms say: cosine of the mean texts of each code."""

from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file

from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.storage import EVIDENCE, TEXTS
from naics_embed.supervision.features import code_features
from naics_embed.taxonomy import Taxonomy

TREE, TEXT, BOTH = 'tree', 'text', 'both'
WAYS = (TREE, TEXT, BOTH)
"""By the distance of the code points, which follows the tree; by the texts; by both ranks."""


def mean_texts(coder: Path, taxonomy: Taxonomy) -> np.ndarray:
    """Return the unit mean of the embeddings of all known texts of each code and the codes below.

    Args:
        coder: folder ``coder`` of a bundle.
        taxonomy: the codes.

    Returns:
        float64 ``(codes, width)``; a row of zeros for a code without texts.

    Raises:
        UserError: the bundle has no coder.
        ArtifactError: its files are damaged.
    """
    if not (coder / EVIDENCE).is_file():
        raise UserError(
            f'bundle {coder.parent} was exported without {coder.name}/, so it knows no texts: '
            f'give --by {TREE}, or export it again'
        )
    try:
        embeddings = load_file(coder / EVIDENCE)['embeddings'].astype(np.float64)
        codes = pl.read_parquet(coder / TEXTS)['code'].to_list()
    except (KeyError, SafetensorError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f'{coder} is damaged ({error}); export the table again') from error
    if len(embeddings) != len(codes):
        raise ArtifactError(f'the files of {coder} do not fit each other; export the table again')
    means = code_features(taxonomy, embeddings, taxonomy.indices(codes))
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(norms > 0, norms, 1.0)


def check_way(by: str) -> None:
    """Raise UserError for a way of comparing codes that is not one of `WAYS`."""
    if by not in WAYS:
        raise UserError(f'by must be one of {", ".join(WAYS)}, not {by!r}')


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, 0 for the smallest, equal ones in their order."""
    result = np.empty(len(values))
    result[np.argsort(values, kind='stable')] = np.arange(len(values))
    return result
