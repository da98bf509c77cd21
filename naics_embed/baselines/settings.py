"""Values of the baselines that are fitted."""

from dataclasses import dataclass

from naics_embed.errors import ConfigError

BASELINES = (
    'title',
    'class_mean',
    'reduced_class_mean',
    'neighbours',
    'logistic_regression',
    'tfidf_svm',
    'bm25',
    'ensemble',
)


@dataclass(frozen=True)
class BaselineSettings:
    """Values of the fitted and the lexical baselines.

    The defaults were chosen on validation queries drawn at random from the 2022 index entries.

    Attributes:
        neighbours: training texts that vote.
        reduced: dimensions of the reduced class means.
        logistic_c: inverse penalty of the logistic regression, for features of unit variance.
        logistic_iterations: L-BFGS iterations; a fixed budget, as later ones gain nothing there.
        svm_c: inverse penalty of the linear SVM.
        svm_iterations: passes of its dual solver over the training texts, a fixed budget as well.
        svm_words: longest word n-gram of the SVM's features.
        svm_characters: length of the character n-grams inside words of the SVM's features.
        svm_min_texts: training texts in which a character n-gram must occur.
        bm25_k1: saturation of the term frequency.
        bm25_b: weight of the document length, 0 … 1.
        seed: seed of the SVM's coordinate order.
    """

    neighbours: int = 20
    reduced: int = 64
    logistic_c: float = 0.1
    logistic_iterations: int = 30
    svm_c: float = 0.5
    svm_iterations: int = 4
    svm_words: int = 2
    svm_characters: int = 3
    svm_min_texts: int = 2
    bm25_k1: float = 1.2
    bm25_b: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('logistic_c', 'svm_c', 'bm25_k1'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'baselines.{name} must be positive, not {getattr(self, name)}')
        for name in (
            'neighbours',
            'reduced',
            'logistic_iterations',
            'svm_iterations',
            'svm_words',
            'svm_characters',
            'svm_min_texts',
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f'baselines.{name} must be at least 1, not {getattr(self, name)}')
        if not 0 <= self.bm25_b <= 1:
            raise ConfigError(f'baselines.bm25_b must lie between 0 and 1, not {self.bm25_b}')
