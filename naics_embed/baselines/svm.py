"""Linear support vector machine on TF-IDF of words and character trigrams."""

import warnings
from collections.abc import Sequence

import numpy as np

from naics_embed.baselines.scores import all_classes, check_labels, check_two_classes
from naics_embed.baselines.settings import BaselineSettings

CLASSES = 64
"""Classes fitted at a time: weights of all the 1,012 for 340,000 terms take 2.8 GB, three times."""

OTHERS = -1
"""Label of the texts of all classes outside a block."""


def tfidf_svm(
    train_texts: Sequence[str],
    train_y: np.ndarray,
    query_texts: Sequence[str],
    n_classes: int,
    settings: BaselineSettings,
) -> np.ndarray:
    """Score classes by one-against-rest linear SVMs (liblinear, squared hinge).

    Args:
        train_texts: t texts: titles, descriptions, entries.
        train_y: integers ``(t,)``, their classes.
        query_texts: q texts.
        n_classes: candidate classes.
        settings: penalty, passes, n-grams and seed of the SVM.

    Returns:
        float32 ``(q, n_classes)`` signed margins, −inf for classes without a text.

    Raises:
        ValueError: labels do not fit the texts or the classes, or all are the same; or no
            training text holds a word.
    """
    from scipy import sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    labels = check_labels(train_y, len(train_texts), n_classes)
    check_two_classes(labels)
    vectorizers = (
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, settings.svm_words)),
        TfidfVectorizer(
            sublinear_tf=True,
            analyzer='char_wb',
            ngram_range=(settings.svm_characters, settings.svm_characters),
            min_df=settings.svm_min_texts,
        ),
    )
    train = sparse.hstack([v.fit_transform(train_texts) for v in vectorizers], format='csr')
    queries = sparse.hstack([v.transform(query_texts) for v in vectorizers], format='csr')
    classes = np.unique(labels)
    margins = np.empty((len(query_texts), len(classes)), dtype=np.float32)
    for start in range(0, len(classes), CLASSES):
        block = classes[start : start + CLASSES]
        # Binary problems do not depend on each other. Texts of classes outside the block share a
        # label below all others, so that theirs is the first column.
        own = np.where(np.isin(labels, block), labels, OTHERS)
        model = LinearSVC(
            C=settings.svm_c, max_iter=settings.svm_iterations, random_state=settings.seed
        )
        with warnings.catch_warnings():
            # The number of passes is a budget; running out of it is meant.
            warnings.simplefilter('ignore', ConvergenceWarning)
            model.fit(train, own)
        found = model.decision_function(queries)
        if found.ndim == 1:
            found = np.column_stack([-found, found])
        margins[:, start : start + len(block)] = found[:, -len(block) :]
    return all_classes(margins, classes, n_classes)
