"""The registered model, as MLflow loads it: texts in, ranked codes out.

MLflow keeps this file itself with the model (models from code) and runs it where the model is
loaded; nothing is pickled. ``naics_embed`` must be installed there.
"""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from naics_embed.search.searcher import Searcher

COLUMNS = ('query', 'rank', 'code', 'title', 'level', 'distance', 'probability')


class ServedModel(PythonModel):
    """A bundle behind MLflow's ``predict``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle that was registered."""
        self.searcher = Searcher.load(context.artifacts['bundle'])

    def predict(
        self,
        context: PythonModelContext,
        model_input,  # noqa: ANN001 - MLflow would check any hint here against the signature
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return one row a text and rank.

        Args:
            context: unused.
            model_input: texts, as a list, an array or a frame with one column.
            params: ``k``, codes a text, and ``level``, their digits.
        """
        texts = [str(text) for text in np.asarray(model_input, dtype=object).ravel()]
        found = self.searcher.search(texts, **(params or {}))
        rows = [
            (text, rank, hit.official, hit.title, hit.level, hit.distance, hit.probability)
            for text, hits in zip(texts, found, strict=True)
            for rank, hit in enumerate(hits, start=1)
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


mlflow.models.set_model(ServedModel())
