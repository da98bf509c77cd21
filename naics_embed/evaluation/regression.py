"""Tables as regressors of an outcome, beside the columns that economists use now."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from naics_embed.errors import ArtifactError, CodeError
from naics_embed.evaluation.evaluate import Metric
from naics_embed.metrics.regression import (
    HELD_OUT,
    Features,
    PanelSettings,
    ancestor_indicators,
    family_groups,
    one_hot,
    principal_components,
    regression_ceiling,
    regression_panel,
)
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

CODE, VALUE = 'code', 'value'


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Rows to be predicted from the code alone.

    Attributes:
        code: int64 ``(m,)``, position of each row's code.
        value: float64 ``(m,)``.
    """

    code: Tensor
    value: Tensor


@dataclass(frozen=True)
class Effects:
    """Standard deviations of the parts of a simulated outcome; see `simulate`."""

    sector: float
    family: float
    text: float
    own: float
    noise: float


def read_outcomes(path: Path, taxonomy: Taxonomy) -> Outcomes:
    """Read a parquet file with the columns ``code`` (any spelling, any level) and ``value``.

    Raises:
        ArtifactError: the file is missing or no parquet, lacks a column, or holds a code or value
            that cannot be used; the message names the row.
    """
    if not path.is_file():
        raise ArtifactError(f'{path} does not exist; regression.outcomes names a parquet file')
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(f'{path} is not a parquet file that can be read: {error}') from error
    missing = [name for name in (CODE, VALUE) if name not in frame.columns]
    if missing:
        raise ArtifactError(
            f'{path} lacks the column {missing[0]!r}; it has {", ".join(frame.columns)}'
        )
    if not frame[VALUE].dtype.is_numeric():
        raise ArtifactError(f'{path}: the column value must hold numbers, not {frame[VALUE].dtype}')
    values = frame[VALUE].cast(pl.Float64).to_numpy()
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ArtifactError(
            f'{path}: row {bad[0]} and {len(bad) - 1} others have no finite value; drop them'
        )
    if len(frame) < 2 or np.ptp(values) == 0:
        raise ArtifactError(f'{path}: all values are equal, so there is nothing to predict')
    positions = np.empty(len(frame), dtype=np.int64)
    position_of: dict[str | int, int] = {}
    for row, code in enumerate(frame[CODE].to_list()):
        if code not in position_of:
            try:
                position_of[code] = taxonomy.index(code)
            except CodeError as error:
                raise ArtifactError(f'{path}: row {row}: {error}') from error
        positions[row] = position_of[code]
    return Outcomes(torch.from_numpy(positions), torch.from_numpy(values.copy()))


def breadth(codes: Tensor, tree: Tree) -> Outcomes | None:
    """Return how many texts name each leaf code: log(1 + count), one row a code.

    Args:
        codes: int64 ``(m,)``, the code of each text.
        tree: the tree.

    Returns:
        None where all leaf codes have the same number.
    """
    leaves = torch.nonzero(tree.level == LEAF_LEVEL).squeeze(1)
    count = torch.bincount(codes, minlength=len(tree))[leaves].double()
    return Outcomes(leaves, count.log1p()) if float(count.std()) > 0 else None


def simulate(tree: Tree, texts: Tensor, effects: Effects, rows: int, seed: int) -> Outcomes:
    """Draw an outcome with given parts, ``rows`` rows for each leaf code.

    value = sector + four-digit family + a direction of the frozen texts + the code's own effect +
    noise, each normal with the deviation that ``effects`` states. The first two can be
    predicted from the tree, the third from the texts, the fourth only from the code's own rows.

    Args:
        tree: the tree.
        texts: ``(n, width)``, features of the codes.
        effects: deviations of the parts.
        rows: rows of each leaf code.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(count: int) -> Tensor:
        return torch.randn(count, generator=generator, dtype=torch.float64)

    leaves = torch.nonzero(tree.level == LEAF_LEVEL).squeeze(1)
    direction = texts[leaves].double() @ normal(texts.shape[1])
    spread = direction.std()
    text = (direction - direction.mean()) / spread if float(spread) > 0 else direction
    family = family_groups(tree, 4)
    mean = (
        effects.sector * normal(len(tree))[tree.sector[leaves]]
        + effects.family * normal(len(tree))[family[leaves]]
        + effects.text * text
        + effects.own * normal(len(leaves))
    )
    code = leaves.repeat_interleave(rows)
    return Outcomes(code, mean.repeat_interleave(rows) + effects.noise * normal(len(code)))


def held_out_r2(
    tangents: Tensor, tree: Tree, outcomes: Outcomes, panel: PanelSettings, *, family_level: int
) -> float:
    """Return R² of a ridge on a table's coordinates for families that it never saw.

    NaN where there are too few families for the folds.
    """
    groups = family_groups(tree, family_level)
    if not _enough(groups[outcomes.code], panel):
        return math.nan
    code, value = _means(outcomes)
    metrics = regression_panel(
        {'table': Features(tangents)}, code=code, target=value, groups=groups, settings=panel
    )
    return metrics[f'table/{HELD_OUT}_r2']


def regression_metrics(
    tables: Mapping[str, Tensor],
    tree: Tree,
    texts: Tensor,
    outcomes: Outcomes,
    panel: PanelSettings,
    *,
    family_level: int,
) -> dict[str, Metric]:
    """Compare tables as regressors with one-hot, ancestors and principal components of texts.

    Args:
        tables: name → ``(n, dim)`` tangents.
        tree: the tree.
        texts: ``(n, width)``, features of the codes from the frozen backbone; they are reduced to
            the dimensions of the first table.
        outcomes: what is predicted.
        panel: settings of the cross-validation.
        family_level: digits of the groups that are held out whole.

    Returns:
        ``NAME/held_out_r2`` and so on (`metrics.regression`), R² beside the fraction that codes can
        explain at all. Empty where there are too few families for the folds.
    """
    groups = family_groups(tree, family_level)
    if not _enough(groups[outcomes.code], panel):
        return {}
    features = {name: Features(table) for name, table in tables.items()}
    dim = next(iter(tables.values())).shape[1]
    rank = min(dim, *texts.shape)
    features |= {
        'one_hot': one_hot(tree),
        'ancestors': ancestor_indicators(tree),
        'frozen_text': principal_components(texts, rank),
    }
    metrics = regression_panel(
        features, code=outcomes.code, target=outcomes.value, groups=groups, settings=panel
    )
    ceiling = regression_ceiling(code=outcomes.code, target=outcomes.value)
    result: dict[str, Metric] = {}
    for key, value in metrics.items():
        reference = ceiling.get(key.partition('/')[2])
        bounded = reference is not None and math.isfinite(reference)
        result[key] = Metric(value, reference, 'ceiling') if bounded else Metric(value)
    return result


def _means(outcomes: Outcomes) -> tuple[Tensor, Tensor]:
    """Return one row a code, the mean of its rows: that is what tables are compared by."""
    code, group, count = outcomes.code.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(code), dtype=torch.float64).index_add_(0, group, outcomes.value)
    return code, sums / count


def _enough(groups: Tensor, panel: PanelSettings) -> bool:
    count = len(groups.unique())
    largest = math.ceil(count / panel.outer_folds)
    return count >= panel.outer_folds and count - largest >= panel.inner_folds
