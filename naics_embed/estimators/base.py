"""The common base of both transformers."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from naics_embed.errors import UserError
from naics_embed.estimators.columns import columns_of


class CoordinateTransformer(TransformerMixin, BaseEstimator):
    """Columns of codes or texts → columns of coordinates; see its two kinds."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the table; only the columns of ``X`` are recorded.

        Raises:
            UserError: a parameter has no such value, or X is no table.
            ArtifactError: there is no such bundle.
        """
        self._check_parameters()
        columns, names = columns_of(X)
        if not columns:
            rows = len(X) if hasattr(X, '__len__') else 0
            raise ValueError(
                f'Found array with 0 feature(s) (shape=({rows}, 0)) '
                'while a minimum of 1 is required.'
            )
        if not columns[0]:
            raise ValueError('Found array with 0 sample(s) while a minimum of 1 is required.')
        self.n_features_in_ = len(columns)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, 'feature_names_in_'):
            del self.feature_names_in_
        self._load()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return coordinates, float64 ``(rows, columns · dim)``.

        Raises:
            UserError: a value is unknown or missing and the policy is ``error``, or X has other
                columns than in `fit`.
        """
        check_is_fitted(self)
        columns, names = columns_of(X)
        fitted = getattr(self, 'feature_names_in_', None)
        if len(columns) != self.n_features_in_:
            raise ValueError(
                f'X has {len(columns)} features, but {type(self).__name__} is expecting '
                f'{self.n_features_in_} features as input. Reshape your data if it is one row'
            )
        if names is not None and fitted is not None and names != list(fitted):
            raise ValueError(
                'The feature names should match those that were passed during fit: '
                f'{", ".join(map(str, fitted))}'
            )
        labels = list(fitted) if fitted is not None else list(range(len(columns)))
        parts = [
            self._coordinates(values, str(name))
            for values, name in zip(columns, labels, strict=True)
        ]
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``<column>_x00`` and so on; ``code_x00`` for a column without a name.

        Raises:
            ValueError: other names than in `fit`, or not as many.
        """
        check_is_fitted(self)
        fitted = getattr(self, 'feature_names_in_', None)
        if input_features is None:
            count = self.n_features_in_
            plain = [self._column] if count == 1 else [f'{self._column}{i}' for i in range(count)]
            names = list(fitted) if fitted is not None else plain
        else:
            names = [str(name) for name in input_features]
            if fitted is not None and names != list(fitted):
                raise ValueError('input_features is not equal to feature_names_in_')
            if len(names) != self.n_features_in_:
                raise ValueError(
                    'input_features should have length equal to number of features '
                    f'({self.n_features_in_}), got {len(names)}'
                )
        return np.array([f'{name}_{axis}' for name in names for axis in self.axes_], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.requires_fit = True
        return tags

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in allowed:
            raise UserError(f'{name} must be one of {", ".join(allowed)}, not {value!r}')
