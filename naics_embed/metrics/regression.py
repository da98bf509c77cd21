"""The value of a table as regressors: ridge regression on its coordinates, cross-validated.

Two questions, reported apart. *Held out*: the codes of the scored rows, and their whole groups
(four-digit parents), were never seen in training, so only features that carry over between codes
help. *Seen*: rows are divided at random, so a scored row's code usually was in training; a row
whose code was not is left out. The penalty is chosen within each training part alone, by inner
folds of the same kind (nested cross-validation, Varma & Simon 2006).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from naics_embed.metrics.tree import Tree
from naics_embed.metrics.validation import MetricError, check_finite, check_index, check_length

if TYPE_CHECKING:
    from sklearn.model_selection import BaseCrossValidator

HELD_OUT = 'held_out'
SEEN = 'seen'


@dataclass(frozen=True, eq=False)
class Features:
    """Regressors of every code.

    Attributes:
        values: ``(n, d)``, one row a node of the tree.
        standardise: whether each column is scaled to unit variance in the training part. Not for
            indicators: unscaled, a ridge on them is a model of random intercepts, the stronger
            baseline.
    """

    values: Tensor
    standardise: bool = True


@dataclass(frozen=True)
class PanelSettings:
    """How the panel is cross-validated.

    Attributes:
        penalties: ridge penalties to choose from.
        outer_folds: folds scored.
        inner_folds: folds within each training part, for the penalty.
        seed: seed of the division into folds.
    """

    penalties: tuple[float, ...]
    outer_folds: int
    inner_folds: int
    seed: int

    def __post_init__(self) -> None:
        if not self.penalties or min(self.penalties) <= 0:
            raise MetricError('penalties must be one or more positive numbers')
        if min(self.outer_folds, self.inner_folds) < 2:
            raise MetricError('outer_folds and inner_folds must be at least 2')


def one_hot(tree: Tree) -> Features:
    """Return an indicator of each node: nothing carries over between codes."""
    return Features(torch.eye(len(tree), dtype=torch.float64), standardise=False)


def ancestor_indicators(tree: Tree) -> Features:
    """Return an indicator of each node's ancestors and itself: the tree as regressors."""
    values = torch.eye(len(tree), dtype=torch.float64)
    values[tree.ancestor_pairs] = 1.0
    return Features(values, standardise=False)


def principal_components(vectors: Tensor, dim: int) -> Features:
    """Return the first ``dim`` principal components of all rows of ``(n, D)`` vectors.

    They are fitted on all codes, as a table's coordinates are; no target enters.

    Raises:
        MetricError: ``dim`` is more than the rank can be, or a value is not finite.
    """
    if vectors.ndim != 2 or not 1 <= dim <= min(vectors.shape):
        raise MetricError(f'{dim} components do not fit vectors of shape {tuple(vectors.shape)}')
    check_finite('vectors', vectors)
    wide = vectors.detach().to(dtype=torch.float64, device='cpu')
    left, scale, _ = torch.linalg.svd(wide - wide.mean(dim=0), full_matrices=False)
    return Features(left[:, :dim] * scale[:dim])


def family_groups(tree: Tree, level: int) -> Tensor:
    """Return int64 ``(n,)``: the ancestor-or-self at a level, or the node itself above it.

    With ``level`` 4 these are the four-digit parents by which held-out codes are drawn.
    """
    group = torch.arange(len(tree))
    while bool((deep := tree.level[group] > level).any()):
        group = torch.where(deep, tree.parent[group], group)
    return group


def regression_panel(
    features: Mapping[str, Features],
    *,
    code: Tensor,
    target: Tensor,
    groups: Tensor,
    settings: PanelSettings,
) -> dict[str, float]:
    """Return how well each set of features predicts a target, on seen and on held-out codes.

    Args:
        features: from a name to the regressors of every code.
        code: int64 ``(m,)``, code of each row, a position in the tree.
        target: ``(m,)``.
        groups: int64 ``(n,)``, group of every *code* (`family_groups`).
        settings: the cross-validation.

    Returns:
        For each name ``NAME/held_out_r2``, ``NAME/held_out_r2_se`` (over folds),
        ``NAME/held_out_rmse``, ``NAME/held_out_penalty`` (median of those chosen), and the same
        with ``seen`` where codes have several rows. R² is out of sample: 1 − the squared error
        over that of the training part's mean, so that the mean alone has 0 and a useless model is
        below it.

    Raises:
        MetricError: shapes that do not fit, values that are not finite, fewer groups than folds.
    """
    check_length('target', target, len(code))
    check_index('code', code, len(groups))
    check_finite('target', target)
    y = target.detach().cpu().to(torch.float64).numpy()
    row_code = code.cpu().numpy()
    row_group = groups.cpu().numpy()[row_code]
    count = len(np.unique(row_group))
    largest_fold = math.ceil(count / settings.outer_folds)
    if count < settings.outer_folds or count - largest_fold < settings.inner_folds:
        raise MetricError(
            f'{count} groups are too few for {settings.outer_folds} outer and '
            f'{settings.inner_folds} inner folds'
        )
    several_rows = len(np.unique(row_code)) < len(row_code)
    result: dict[str, float] = {}
    for name, feature in features.items():
        check_finite(f'features {name}', feature.values)
        if feature.values.ndim != 2 or len(feature.values) != len(groups):
            raise MetricError(
                f'features {name} must have a row for each of {len(groups)} codes, '
                f'not shape {tuple(feature.values.shape)}'
            )
        x = feature.values.detach().cpu().to(torch.float64).numpy()[row_code]
        # Indicators of codes that have no row would only cost time.
        x = x[:, np.ptp(x, axis=0) > 0]
        if not x.shape[1]:
            raise MetricError(f'features {name} are the same for all rows')
        for kind in (HELD_OUT, SEEN) if several_rows else (HELD_OUT,):
            grouping = row_group if kind == HELD_OUT else None
            metrics = _cross_validate(x, y, row_code, grouping, feature.standardise, settings)
            result |= {f'{name}/{kind}_{key}': value for key, value in metrics.items()}
    return result


def regression_ceiling(*, code: Tensor, target: Tensor) -> dict[str, float]:
    """Return the R² that features of codes can reach: rows of one code share a prediction.

    Returns:
        ``held_out_r2`` and ``seen_r2``: 1 − variance within codes / variance of the target, both
        unbiased; NaN where no code has two rows or all rows are alike.
    """
    check_length('target', target, len(code))
    y = target.to(torch.float64)
    _, group, size = code.unique(return_inverse=True, return_counts=True)
    mean = torch.zeros(len(size), dtype=torch.float64).index_add_(0, group, y) / size
    free = len(y) - len(size)
    within = float((y - mean[group]).square().sum()) / free if free else math.nan
    spread = float(y.var())
    ceiling = 1 - within / spread if spread > 0 else math.nan
    return {f'{HELD_OUT}_r2': ceiling, f'{SEEN}_r2': ceiling}


def _cross_validate(
    x: np.ndarray,
    y: np.ndarray,
    code: np.ndarray,
    group: np.ndarray | None,
    standardise: bool,
    settings: PanelSettings,
) -> dict[str, float]:
    errors, baseline, folds, penalties = 0.0, 0.0, [], []
    scored = 0
    for train, test in _folds(settings.outer_folds, group, settings).split(x, y, group):
        inner_group = None if group is None else group[train]
        penalty = _penalty(x[train], y[train], inner_group, standardise, settings)
        if group is None:
            test = test[np.isin(code[test], code[train])]
        if not len(test):
            continue
        (predicted,) = ridge_path(x[train], y[train], x[test], (penalty,), standardise=standardise)
        fold_errors = float(np.square(predicted - y[test]).sum())
        fold_baseline = float(np.square(y[train].mean() - y[test]).sum())
        folds.append(1 - fold_errors / fold_baseline if fold_baseline > 0 else math.nan)
        penalties.append(penalty)
        errors += fold_errors
        baseline += fold_baseline
        scored += len(test)
    several = len(folds) > 1
    return {
        'r2': 1 - errors / baseline if baseline > 0 else math.nan,
        'r2_se': float(np.std(folds, ddof=1)) / math.sqrt(len(folds)) if several else math.nan,
        'rmse': math.sqrt(errors / scored) if scored else math.nan,
        'penalty': float(np.median(penalties)) if penalties else math.nan,
    }


def _penalty(
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray | None,
    standardise: bool,
    settings: PanelSettings,
) -> float:
    """Return the penalty with the least squared error in the mean over inner folds."""
    folds = _folds(settings.inner_folds, group, settings)
    errors = [
        np.square(
            ridge_path(x[train], y[train], x[test], settings.penalties, standardise=standardise)
            - y[test]
        ).mean(axis=1)
        for train, test in folds.split(x, y, group)
    ]
    return settings.penalties[int(np.mean(errors, axis=0).argmin())]


def ridge_path(
    x: np.ndarray,
    y: np.ndarray,
    x_new: np.ndarray,
    penalties: Sequence[float],
    *,
    standardise: bool,
) -> np.ndarray:
    """Predict by ridge regressions that differ in their penalty; their products are computed once.

    Args:
        x: float64 ``(m, d)``, regressors in training.
        y: float64 ``(m,)``, target in training.
        x_new: float64 ``(k, d)``, regressors of the rows to predict.
        penalties: positive factors on the squared coefficients.
        standardise: scale columns to unit variance in training; they are centred in any case.

    Returns:
        float64 ``(len(penalties), k)``.
    """
    mean, centre = x.mean(axis=0), y.mean()
    scale = x.std(axis=0) if standardise else np.ones(x.shape[1])
    scale = np.where(scale > 0, scale, 1.0)
    columns = (x - mean) / scale
    rows = (x_new - mean) / scale
    # In the smaller of the two forms: coefficients of columns, or of training rows.
    wide = columns.shape[1] > len(columns)
    gram = columns @ columns.T if wide else columns.T @ columns
    moment = y - centre if wide else columns.T @ (y - centre)
    across = rows @ columns.T if wide else rows
    predictions = []
    for penalty in penalties:
        shifted = gram.copy()
        shifted.flat[:: len(gram) + 1] += penalty
        factor = scipy.linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
        predictions.append(
            across @ scipy.linalg.cho_solve(factor, moment, check_finite=False) + centre
        )
    return np.stack(predictions)


def _folds(count: int, group: np.ndarray | None, settings: PanelSettings) -> 'BaseCrossValidator':
    from sklearn.model_selection import GroupKFold, KFold

    if group is None:
        return KFold(count, shuffle=True, random_state=settings.seed)
    return GroupKFold(count, shuffle=True, random_state=settings.seed)
