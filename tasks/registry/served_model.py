"""The registered model, as MLflow loads it: texts and codes in, ranked codes out.

MLflow keeps this file itself with the model (models from code) and runs it where the model is
loaded; nothing is pickled. ``naics_embed`` must be installed there.

The input is a list of texts, or a table whose rows have a ``text`` or a ``code``. A text gets its
codes, ranked from 1. A code gets itself at rank 0, with its coordinates, and the codes of its level
most like it from rank 1. A row that cannot be answered gets one row with the reason in ``error``;
no row is dropped.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from naics_embed.bundle.provenance import FIELDS, Provenance
from naics_embed.bundle.storage import CODER, Bundle
from naics_embed.errors import CodeError, UserError
from naics_embed.search.code_table import CodeTable
from naics_embed.search.coder import CONFIDENCE, Coder
from naics_embed.search.searcher import Hit, Searcher, text_fault
from naics_embed.taxonomy import LEAF_LEVEL

INPUTS = ('text', 'code')
COLUMNS = (
    'row',
    'query',
    'kind',
    'rank',
    'code',
    'title',
    'level',
    'distance',
    'probability',
    'confident_code',
    'confident_title',
    'confident_probability',
    'coordinates',
    'error',
)
TYPES = {
    **dict.fromkeys(('rank', 'level'), 'Int64'),
    **dict.fromkeys(('distance', 'probability', 'confident_probability'), 'Float64'),
    **dict.fromkeys(
        ('query', 'kind', 'code', 'title', 'confident_code', 'confident_title', 'error'), 'string'
    ),
}
"""Types with a missing value, which JSON has as null: NaN is no JSON."""

DEFAULT_K = 5
ORIGIN = FIELDS
"""Columns that the parameter ``provenance`` adds."""

Values = dict[str, Any]


class ServedModel(PythonModel):
    """A bundle behind MLflow's ``predict``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle that was registered; one without a coder is searched by distance."""
        bundle = Bundle.load(Path(context.artifacts['bundle']), verify=True)
        has_coder = (bundle.path / CODER).is_dir()
        self.coder = Coder.load(bundle.path, verify=False) if has_coder else None
        self.searcher = self.coder.searcher if self.coder else Searcher.load(bundle.path)
        self.table = CodeTable(bundle)
        self.provenance = Provenance.of(bundle)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,  # or what `_frame` takes; MLflow warns of a union
        params: Values | None = None,
    ) -> pd.DataFrame:
        """Return rows of `COLUMNS`, in the order of the input.

        Args:
            context: unused.
            model_input: texts, or a frame with the column ``text`` or ``code`` or both.
            params: ``k``, codes for a row; ``level``, digits of the codes of a text;
                ``confidence``, least probability of the confident code; ``provenance``, whether
                the columns of `ORIGIN` are added.

        Raises:
            MlflowException: the input has no such column, or a parameter is out of range.
        """
        values = {'k': DEFAULT_K, 'level': LEAF_LEVEL, 'confidence': CONFIDENCE, **(params or {})}
        origin = self.provenance.now().to_dict() if values.pop('provenance', False) else {}
        queries = _queries(model_input)
        try:
            texts = [query['query'] for query in queries if query['kind'] == 'text']
            of_texts = iter(self._texts(texts, **values))
            rows = [
                {**query, **row}
                for query in queries
                for row in (
                    next(of_texts) if query['kind'] == 'text' else self._other(query, values)
                )
            ]
        except UserError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
        complete = [dict.fromkeys(COLUMNS) | row | origin for row in rows]
        columns = [*COLUMNS, *origin]
        types = TYPES | dict.fromkeys(origin, 'string')
        return pd.DataFrame(complete, columns=columns).astype(types)

    def _texts(
        self, texts: list[str], k: int, level: int, confidence: float
    ) -> Iterator[list[Values]]:
        """Yield the rows of each text."""
        if self.coder is None:
            for hits in self.searcher.search(texts, k, level):
                yield [_hit(rank, hit) for rank, hit in enumerate(hits, start=1)]
            return
        for answer in self.coder.search(texts, k, level, confidence=confidence):
            confident = answer.confident
            columns = {} if confident is None else {
                'confident_code': confident.official,
                'confident_title': confident.title,
                'confident_probability': confident.probability,
            }  # fmt: skip
            yield [_hit(rank, hit) | columns for rank, hit in enumerate(answer.hits, start=1)]

    def _other(self, query: Values, values: Values) -> list[Values]:
        """Return the rows of a code, or the one of a row that cannot be answered."""
        if query['kind'] != 'code':
            return [{}]
        try:
            entry = self.table[query['query']]
        except CodeError as error:
            return [{'error': str(error)}]
        coordinates = self.table.tangents[self.table.position(entry.code)].tolist()
        itself = {
            'rank': 0,
            'code': entry.official,
            'title': entry.title,
            'level': entry.level,
            'distance': 0.0,
            'coordinates': coordinates,
        }
        near = self.table.similar(entry.code, values['k'])
        return [itself] + [
            {
                'rank': rank,
                'code': code.official,
                'title': code.title,
                'level': code.level,
                'distance': code.distance,
            }
            for rank, code in enumerate(near, start=1)
        ]


def _queries(model_input: Any) -> list[Values]:
    """Return row, query, kind and error of each row of the input."""
    frame = _frame(model_input)
    if not set(INPUTS) & set(frame.columns):
        got = ', '.join(map(repr, frame.columns)) or 'none'
        raise MlflowException(
            f'give a table with the column {" or ".join(INPUTS)}; its columns are: {got}. As JSON: '
            '{"inputs": ["dog grooming salon"]} or {"dataframe_records": '
            '[{"text": "dog grooming salon"}]}',
            INVALID_PARAMETER_VALUE,
        )
    columns = [list(frame[name]) if name in frame else [None] * len(frame) for name in INPUTS]
    return [_query(row, *values) for row, values in enumerate(zip(*columns, strict=True))]


def _frame(model_input: Any) -> pd.DataFrame:
    """Return the input as a table; what is one column without a name are texts."""
    if isinstance(model_input, pd.DataFrame):
        frame = model_input
    elif isinstance(model_input, list) and any(isinstance(row, dict) for row in model_input):
        frame = pd.DataFrame(model_input)
    else:
        columns = model_input if isinstance(model_input, dict) else {0: model_input}
        try:
            frame = pd.DataFrame(
                {name: np.atleast_1d(np.asarray(v, dtype=object)) for name, v in columns.items()}
            )
        except ValueError as error:
            raise MlflowException(
                f'give a list of texts, or a list for each column, all of one length: {error}',
                INVALID_PARAMETER_VALUE,
            ) from error
    names: list[Any] = frame.columns.tolist()
    if names == [0]:
        return frame.rename(columns={0: 'text'})
    return frame


def _query(row: int, text: Any, code: Any) -> Values:
    given = [
        (kind, value)
        for kind, value in zip(INPUTS, (text, code), strict=True)
        if not (pd.api.types.is_scalar(value) and pd.isna(value))
    ]
    if len(given) != 1:
        reason = 'has neither text nor code' if not given else 'has text and code; give one of them'
        return {'row': row, 'query': None, 'kind': None, 'error': f'the row {reason}'}
    [(kind, value)] = given
    if kind == 'text' and (fault := text_fault(value)) is not None:
        # A lone surrogate fits in no column of strings.
        readable = str(value).encode('utf-8', 'replace').decode()
        return {'row': row, 'query': readable, 'kind': None, 'error': f'the text {fault}'}
    return {'row': row, 'query': str(value), 'kind': kind}


def _hit(rank: int, hit: Hit) -> Values:
    return {
        'rank': rank,
        'code': hit.official,
        'title': hit.title,
        'level': hit.level,
        'distance': hit.distance,
        'probability': hit.probability,
    }


mlflow.models.set_model(ServedModel())
