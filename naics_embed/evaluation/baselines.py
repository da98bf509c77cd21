"""The baselines, scored on the same queries as the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from naics_embed.baselines.frozen import (
    class_mean,
    nearest_neighbours,
    reduced_class_mean,
    title_similarity,
)
from naics_embed.baselines.lexical import bm25
from naics_embed.baselines.logistic import logistic_regression
from naics_embed.baselines.settings import BASELINES, BaselineSettings
from naics_embed.baselines.svm import tfidf_svm
from naics_embed.errors import ConfigError
from naics_embed.evaluation.ensemble import MEMBERS, ensemble
from naics_embed.evaluation.queries import QueryGroup
from naics_embed.metrics.tree import Tree


@dataclass(frozen=True)
class LabelledTexts:
    """Training texts of leaf codes.

    Attributes:
        texts: m texts.
        embeddings: float32 ``(m, width)``, by the frozen backbone.
        labels: int64 ``(m,)``, columns of the candidates.
        title: bool ``(m,)``, which of them are titles.
    """

    texts: Sequence[str]
    embeddings: np.ndarray
    labels: np.ndarray
    title: np.ndarray


def baseline_metrics(
    names: Sequence[str],
    train: LabelledTexts,
    groups: Sequence[QueryGroup],
    embeddings: Sequence[np.ndarray],
    tree: Tree,
    settings: BaselineSettings,
) -> dict[str, dict[str, float]]:
    """Fit each baseline once and score it on every group.

    Args:
        names: from `BASELINES`.
        train: training texts.
        groups: groups that all rank the same candidates.
        embeddings: float32 ``(q, width)`` of each group's queries, by the frozen backbone.
        tree: the tree.
        settings: values of the fitted ones.

    Returns:
        name → metrics keyed ``split/metric``.

    Raises:
        ConfigError: a name is unknown.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise ConfigError(
            f'evaluation.compared: no baseline {unknown[0]!r}; choose from {", ".join(BASELINES)}'
        )
    if not groups:
        return {name: {} for name in names}
    n = len(groups[0].candidates)
    texts = [text for group in groups for text in group.texts]
    stacked = np.concatenate(list(embeddings))
    titles = train.title
    fit: dict[str, Callable[[], np.ndarray]] = {
        'title': lambda: title_similarity(
            train.embeddings[titles], train.labels[titles], stacked, n
        ),
        'class_mean': lambda: class_mean(train.embeddings, train.labels, stacked, n),
        'reduced_class_mean': lambda: reduced_class_mean(
            train.embeddings, train.labels, stacked, n, settings.reduced
        ),
        'neighbours': lambda: nearest_neighbours(
            train.embeddings, train.labels, stacked, n, settings.neighbours
        ),
        'logistic_regression': lambda: logistic_regression(
            train.embeddings, train.labels, stacked, n, settings
        ),
        'tfidf_svm': lambda: tfidf_svm(train.texts, train.labels, texts, n, settings),
        'bm25': lambda: bm25(train.texts, train.labels, texts, n, settings),
        'ensemble': lambda: ensemble({name: fitted(name) for name in MEMBERS}, groups),
    }

    @cache
    def fitted(name: str) -> np.ndarray:
        return fit[name]()

    result: dict[str, dict[str, float]] = {}
    for name in names:
        lowest = float(np.finfo(np.float32).min)
        scores = torch.from_numpy(np.nan_to_num(fitted(name), neginf=lowest))
        metrics: dict[str, float] = {}
        start = 0
        for group in groups:
            part = scores[start : start + len(group.texts)]
            metrics |= group.metrics(part, tree)
            start += len(group.texts)
        result[name] = metrics
    return result
