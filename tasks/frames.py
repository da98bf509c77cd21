"""Reading of what other stages wrote."""

import numpy as np
import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.taxonomy import Taxonomy

SUPERVISED = 'supervised'


def frame_of(artifact: Artifact) -> pl.DataFrame:
    """Read a parquet file."""
    return pl.read_parquet(artifact.path)


def taxonomy_of(codebook: Artifact) -> Taxonomy:
    """Build the tree from the codes of a codebook."""
    return Taxonomy(pl.read_parquet(codebook.path, columns=['code'])['code'].to_list())


def splits_of(holdout: Artifact, taxonomy: Taxonomy) -> np.ndarray:
    """Return the structure split of each code, object ``(n,)``, in the order of the taxonomy."""
    split = dict(pl.read_parquet(holdout.path).select('code', 'split').iter_rows())
    return np.array([split[code] for code in taxonomy.codes], dtype=object)


def positions(codes: pl.Series, taxonomy: Taxonomy) -> np.ndarray:
    """Return the position of each code as int64 ``(m,)``. Raises CodeError for an unknown one."""
    distinct = codes.unique()
    indices = pl.Series(taxonomy.indices(distinct.to_list()), dtype=pl.Int64)
    result = codes.replace_strict(distinct, indices, return_dtype=pl.Int64)
    # Of no codes polars makes an empty column of strings.
    return result.cast(pl.Int64).to_numpy(writable=True)


def redirect_pairs(redirections: pl.DataFrame, taxonomy: Taxonomy) -> np.ndarray:
    """Return positions int64 ``(m, 2)`` of codes that a cross reference joins."""
    named = redirections.select('code', target=pl.concat_list('targets', 'also_named')).explode(
        'target'
    )
    pairs = [
        (taxonomy.index(code), taxonomy.index(target))
        for code, target in named.drop_nulls().unique(maintain_order=True).iter_rows()
        if code != target
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
