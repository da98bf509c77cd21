"""Descriptions to codes, as a classifier of scikit-learn."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from naics_embed.errors import UserError
from naics_embed.estimators.columns import columns_of, is_missing
from naics_embed.learning.learn import learn
from naics_embed.search.coder import Coder
from naics_embed.search.searcher import check_texts


class NaicsClassifier(ClassifierMixin, BaseEstimator):
    """The coder, which learns texts and their codes by `fit`.

    It knows all six-digit codes beforehand, also those without a text in `fit`. What is learned is
    a bundle in a temporary directory that is removed together with the object. A pickled classifier
    holds the whole bundle, about 100 MB; to keep one, use `naics_embed.Coder.learn`.

    Args:
        bundle: directory of the bundle to start from; None for the promoted one.

    Attributes:
        classes_: the six-digit codes, in the order of the columns of `predict_proba`.
        outcome_: what learning has changed, a `naics_embed.learning.outcome.Outcome`.
    """

    _folder: Path
    _removal: Callable[[], Any]

    def __init__(self, bundle: str | Path | None = None) -> None:
        self.bundle = bundle

    def fit(self, texts: Any, codes: Iterable[Any], groups: Iterable[Any] | None = None) -> Self:
        """Learn texts and their codes, and nothing of an earlier `fit`.

        Args:
            texts: a list, an array, a Series, or a table with one column.
            codes: six-digit code of each.
            groups: group of each, such as its firm; texts of one group never check each other.

        Raises:
            UserError: there are too few texts or codes, or too many codes are unknown.
            ArtifactError: there is no such bundle, or it cannot learn.
        """
        coder = Coder.load(self.bundle)
        self._own(Path(tempfile.mkdtemp(prefix='naics-embed-')))
        self._coder, self.outcome_ = learn(
            coder, _texts(texts), codes, groups=groups, out=self._folder / 'bundle'
        )
        self.classes_ = np.array(self._coder.leaf_codes)
        return self

    def predict(self, texts: Any) -> np.ndarray:
        """Return the most probable six-digit code of each text, strings ``(n,)``.

        Raises:
            UserError: a text is missing or empty; the message names its row.
        """
        best = [p.argmax(axis=1) for p in self._probabilities(texts)]
        return self.classes_[np.concatenate(best)] if best else self.classes_[:0]

    def predict_proba(self, texts: Any) -> np.ndarray:
        """Return the calibrated probability of each code, float64 ``(n, len(classes_))``.

        Raises:
            UserError: a text is missing or empty; the message names its row.
        """
        return np.concatenate([np.empty((0, len(self.classes_))), *self._probabilities(texts)])

    def score(self, texts: Any, codes: Iterable[Any], sample_weight: Any = None) -> float:
        """Return the fraction of texts whose most probable code is the given one."""
        return float(super().score(texts, [str(code) for code in codes], sample_weight))

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameters, and the files of what was learned."""
        left_out = ('_coder', '_folder', '_removal')
        state = {key: value for key, value in super().__getstate__().items() if key not in left_out}
        if hasattr(self, '_folder'):
            state['_files'] = {
                file.relative_to(self._folder).as_posix(): file.read_bytes()
                for file in sorted(self._folder.rglob('*'))
                if file.is_file()
            }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Write the files to a temporary directory of this object's own."""
        files = state.get('_files')
        super().__setstate__({key: value for key, value in state.items() if key != '_files'})
        if files is None:
            return
        self._own(Path(tempfile.mkdtemp(prefix='naics-embed-')))
        for name, content in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._coder = Coder.load(self._folder / 'bundle')

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _own(self, folder: Path) -> None:
        """Keep a directory until this object is gone, or has another one."""
        if hasattr(self, '_removal'):
            self._removal()
        self._folder = folder
        self._removal = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def _probabilities(self, texts: Any) -> Iterator[np.ndarray]:
        check_is_fitted(self)
        given = _texts(texts)
        check_texts(given)
        return (scored.probabilities for scored in self._coder.scored(given))


def _texts(texts: Any) -> list[Any]:
    """Return the values of the only column."""
    columns, _ = columns_of(texts)
    if len(columns) != 1:
        raise UserError(f'give one column of texts, not {len(columns)}')
    return [None if is_missing(text) else text for text in columns[0]]
