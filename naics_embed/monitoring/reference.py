"""What a bundle's own labelled texts look like, where there are no earlier texts of the user."""

import numpy as np
import polars as pl

from naics_embed.bundle.storage import CODER
from naics_embed.errors import UserError
from naics_embed.monitoring.observations import observe
from naics_embed.search.coder import Coder

QUERIES = 'queries.parquet'


def reference_of_bundle(coder: Coder, rows: int, seed: int = 0) -> pl.DataFrame:
    """Code a sample of the labelled texts to which a bundle was calibrated.

    They are spread evenly over the codes, as no one's own texts are: their sectors and codes are
    left out, so that only what depends on the writing is compared.

    Args:
        coder: of the bundle.
        rows: at most so many texts.
        seed: of the sample.

    Raises:
        UserError: the bundle holds no such texts.
    """
    path = coder.searcher.bundle.path / CODER / QUERIES
    if not path.is_file():
        raise UserError(
            f'{coder.searcher.bundle.path} holds no labelled texts: give --reference, a coded '
            'table or observations of a time at which all was well'
        )
    texts = pl.read_parquet(path, columns=['text'])['text'].drop_nulls().unique(maintain_order=True)
    chosen = np.random.default_rng(seed).permutation(len(texts))[:rows]
    frame = observe(coder, [texts[i] for i in np.sort(chosen).tolist()])
    return frame.with_columns(code=pl.lit(None, pl.String))
