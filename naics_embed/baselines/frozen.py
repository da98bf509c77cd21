"""Baselines on frozen sentence embeddings that need no fit."""

import numpy as np

from naics_embed.baselines.scores import all_classes, check_labels

CHUNK = 512
"""Queries compared with all training rows at a time; bounds the memory."""


def class_mean(
    train_embeddings: np.ndarray,
    train_labels: np.ndarray,
    query_embeddings: np.ndarray,
    n_classes: int,
) -> np.ndarray:
    """Score a class by the cosine of the query with the mean of the class's unit embeddings.

    This is a nearest-centroid (Rocchio) classifier.

    Args:
        train_embeddings: float ``(t, d)``: titles, descriptions, entries, each its own row.
        train_labels: integers ``(t,)``, their classes.
        query_embeddings: float ``(q, d)``.
        n_classes: candidate classes.

    Returns:
        float32 ``(q, n_classes)`` cosines, −inf for classes without a row.

    Raises:
        ValueError: labels do not fit the rows or the classes.
    """
    labels = check_labels(train_labels, len(train_embeddings), n_classes)
    classes, position = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(classes), train_embeddings.shape[1]), dtype=np.float64)
    np.add.at(sums, position, _unit(train_embeddings))
    return all_classes(_unit(query_embeddings) @ _unit(sums).T, classes, n_classes)


def reduced_class_mean(
    train_embeddings: np.ndarray,
    train_labels: np.ndarray,
    query_embeddings: np.ndarray,
    n_classes: int,
    dimensions: int,
) -> np.ndarray:
    """Score as `class_mean` does, in the principal components of the training rows.

    A space of few dimensions is fairly compared with one of as many (PCA, Hotelling 1933).

    Args:
        train_embeddings: float ``(t, d)``.
        train_labels: integers ``(t,)``, their classes.
        query_embeddings: float ``(q, d)``.
        n_classes: candidate classes.
        dimensions: components kept; as many as the rows have where that is fewer.

    Returns:
        float32 ``(q, n_classes)`` cosines, −inf for classes without a row.

    Raises:
        ValueError: labels do not fit the rows or the classes.
    """
    from sklearn.decomposition import PCA

    check_labels(train_labels, len(train_embeddings), n_classes)
    train = _unit(train_embeddings)
    components = PCA(min(dimensions, *train.shape), svd_solver='full').fit(train)
    reduced = components.transform(train), components.transform(_unit(query_embeddings))
    return class_mean(reduced[0], train_labels, reduced[1], n_classes)


def nearest_neighbours(
    train_embeddings: np.ndarray,
    train_labels: np.ndarray,
    query_embeddings: np.ndarray,
    n_classes: int,
    count: int,
) -> np.ndarray:
    """Score a class by the sum of the cosines of those nearest training rows that belong to it.

    Args:
        train_embeddings: float ``(t, d)``.
        train_labels: integers ``(t,)``, their classes.
        query_embeddings: float ``(q, d)``.
        n_classes: candidate classes.
        count: how many of the nearest rows vote; all where there are fewer.

    Returns:
        float32 ``(q, n_classes)``, 0 for classes without a neighbour, −inf for those without a row.

    Raises:
        ValueError: labels do not fit the rows or the classes.
    """
    labels = check_labels(train_labels, len(train_embeddings), n_classes)
    train, queries = _unit(train_embeddings), _unit(query_embeddings)
    count = min(count, len(train))
    votes = np.zeros((len(queries), n_classes), dtype=np.float32)
    for start in range(0, len(queries), CHUNK):
        cosine = queries[start : start + CHUNK] @ train.T
        near = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        rows = np.arange(start, start + len(cosine))[:, None]
        np.add.at(votes, (rows, labels[near]), np.take_along_axis(cosine, near, axis=1))
    votes[:, np.bincount(labels, minlength=n_classes) == 0] = -np.inf
    return votes


def title_similarity(
    title_embeddings: np.ndarray,
    title_labels: np.ndarray,
    query_embeddings: np.ndarray,
    n_classes: int,
) -> np.ndarray:
    """Score a class by the cosine of the query with its title, the nearest if it has several.

    Args:
        title_embeddings: float ``(t, d)``.
        title_labels: integers ``(t,)``, their classes.
        query_embeddings: float ``(q, d)``.
        n_classes: candidate classes.

    Returns:
        float32 ``(q, n_classes)`` cosines, −inf for classes without a title.

    Raises:
        ValueError: labels do not fit the rows or the classes.
    """
    labels = check_labels(title_labels, len(title_embeddings), n_classes)
    order = np.argsort(labels, kind='stable')
    classes, first = np.unique(labels[order], return_index=True)
    cosines = _unit(query_embeddings) @ _unit(title_embeddings[order]).T
    return all_classes(np.maximum.reduceat(cosines, first, axis=1), classes, n_classes)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1 in float32; a zero row stays zero."""
    rows = np.asarray(rows)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0).astype(np.float32)
