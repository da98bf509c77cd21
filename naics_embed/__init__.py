"""Industry codes and business descriptions as points of one hyperbolic space."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naics_embed.bundle.storage import Bundle
    from naics_embed.classifications.classification import Classification
    from naics_embed.classifications.concordance import Concordance
    from naics_embed.estimators.classifier import NaicsClassifier
    from naics_embed.estimators.coordinates import NaicsCoordinates
    from naics_embed.estimators.text import NaicsTextEncoder
    from naics_embed.search.code_table import CodeTable
    from naics_embed.search.coder import Answer, Coder
    from naics_embed.search.searcher import Hit, Searcher
    from naics_embed.taxonomy import Taxonomy

__version__ = '0.1.0'
__all__ = [
    'Answer',
    'Bundle',
    'Classification',
    'CodeTable',
    'Coder',
    'Concordance',
    'Hit',
    'NaicsClassifier',
    'NaicsCoordinates',
    'NaicsTextEncoder',
    'Searcher',
    'Taxonomy',
    '__version__',
]

_HOMES = {
    'Answer': 'naics_embed.search.coder',
    'Classification': 'naics_embed.classifications.classification',
    'Concordance': 'naics_embed.classifications.concordance',
    'CodeTable': 'naics_embed.search.code_table',
    'Coder': 'naics_embed.search.coder',
    'Bundle': 'naics_embed.bundle.storage',
    'Hit': 'naics_embed.search.searcher',
    'NaicsClassifier': 'naics_embed.estimators.classifier',
    'NaicsCoordinates': 'naics_embed.estimators.coordinates',
    'NaicsTextEncoder': 'naics_embed.estimators.text',
    'Searcher': 'naics_embed.search.searcher',
    'Taxonomy': 'naics_embed.taxonomy',
}


def __dir__() -> list[str]:
    """Return the public names, which shells complete."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that the package itself loads at once."""
    if name in _HOMES:
        try:
            return getattr(importlib.import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            from naics_embed.optional import TORCH, torch_is_missing

            if error.name not in TORCH:
                raise
            raise torch_is_missing(name, error.name) from error
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
