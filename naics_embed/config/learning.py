"""Settings of learning from labelled texts."""

from dataclasses import dataclass

from naics_embed.errors import ConfigError


@dataclass(frozen=True)
class LearnSettings:
    """How a bundle learns from labelled texts.

    Attributes:
        folds: parts of the cross-validation; texts of one group are in one part.
        linear_penalty: penalty on half the squared change of the classifier's weights.
        linear_iterations: L-BFGS iterations of the classifier.
        prior_smoothing: labels that the expectation from the level above counts for, at each level
            of the prior of codes.
        noise: fraction of labels that are expected to be wrong.
        least_weight: weight of the least plausible label; 1 weighs all labels alike.
        half_share: labels at which the user's texts have half of their full share in the fit.
        share: full fraction of the user's texts in the fit, the rest are the bundle's own.
        fitted_texts: most texts of the user that fusion and calibration are fitted to.
        candidates: codes a text that take part in the fit of the fusion.
        penalty: penalty on the squared change of the standardised fusion weights.
        source_penalty: additional penalty, divided by the number of labels, on the weights that
            only the user's texts have: those of their gate, and of the prior.
        prior_penalty: additional penalty on the weight of the prior for texts unlike the user's.
        iterations: L-BFGS iterations of the fusion.
        similarity: Jaccard similarity of words from which two texts count as duplicates.
        repeated: rows that the expected fraction of right labels, 1 − ``noise``, counts for where
            the reliability of a source is measured by texts that it has several times.
        seed: seed of the folds and of the sample.
    """

    folds: int = 5
    linear_penalty: float = 0.05
    linear_iterations: int = 40
    prior_smoothing: float = 5.0
    noise: float = 0.1
    least_weight: float = 0.3
    half_share: int = 100
    share: float = 0.5
    fitted_texts: int = 6000
    candidates: int = 64
    penalty: float = 1e-3
    source_penalty: float = 4.0
    prior_penalty: float = 0.01
    iterations: int = 60
    similarity: float = 0.9
    repeated: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ('linear_penalty', 'prior_smoothing', 'half_share', 'source_penalty', 'repeated')
        for name in positive:
            self._require(getattr(self, name) > 0, name, 'positive')
        for name in ('linear_iterations', 'iterations', 'fitted_texts'):
            self._require(getattr(self, name) >= 1, name, 'at least 1')
        self._require(self.folds >= 2, 'folds', 'at least 2')
        self._require(self.candidates >= 2, 'candidates', 'at least 2')
        self._require(self.penalty >= 0, 'penalty', 'at least 0')
        for name in ('noise', 'share'):
            self._require(0 < getattr(self, name) < 1, name, 'between 0 and 1')
        for name in ('least_weight', 'similarity'):
            self._require(0 < getattr(self, name) <= 1, name, 'above 0 and at most 1')

    def _require(self, kept: bool, key: str, requirement: str) -> None:
        if not kept:
            raise ConfigError(f'learning.{key} must be {requirement}, not {getattr(self, key)!r}')
