"""Settings of the evidence that a `Coder` weighs, and of its fit."""

from dataclasses import dataclass, field

from naics_embed.errors import ConfigError


@dataclass(frozen=True)
class EvidenceSettings:
    """How known texts are indexed and neighbours are weighed.

    Attributes:
        sharpness: factor on the cosine in the kernel density of a code's texts.
        gram: length of the character n-grams.
        bm25_k1: saturation of the frequency of words and of word pairs.
        gram_k1: saturation of the frequency of character n-grams.
        bm25_b: weight of the document length, 0 … 1.
        characters_read: characters of a text that the lexical evidence reads.
    """

    sharpness: float
    gram: int
    bm25_k1: float
    gram_k1: float
    bm25_b: float
    characters_read: int

    def __post_init__(self) -> None:
        for name in ('sharpness', 'bm25_k1', 'gram_k1'):
            value = getattr(self, name)
            _require(value > 0, name, value, 'positive')
        for name in ('gram', 'characters_read'):
            value = getattr(self, name)
            _require(value >= 1, name, value, 'at least 1')
        _require(0 <= self.bm25_b <= 1, 'bm25_b', self.bm25_b, 'in [0, 1]')


@dataclass(frozen=True)
class CautionSettings:
    """How much less sure the coder is of texts in styles in which real texts are harder than ours.

    In logits of the top-1 answer, see `naics_embed.evidence.gates`.

    Attributes:
        capitals: of a text in capitals.
        prose: of a text of many words.
        unfamiliar: of a text like no known text.
    """

    capitals: float = 0.0
    prose: float = 0.0
    unfamiliar: float = 0.0

    def __post_init__(self) -> None:
        for name in ('capitals', 'prose', 'unfamiliar'):
            value = getattr(self, name)
            _require(value >= 0, f'fusion.caution.{name}', value, 'at least 0')

    @property
    def shifts(self) -> tuple[float, float, float]:
        """Coefficients of the shift for the gates of styles."""
        return -self.capitals, -self.prose, -self.unfamiliar


@dataclass(frozen=True)
class FusionSettings:
    """How the fusion is fitted.

    Attributes:
        penalty: factor on the squared standardised weights.
        iterations: L-BFGS iterations.
        folds: parts into which the queries are cut to calibrate on answers to unseen ones.
        caution: what is taken off the confidence in some styles of texts.
    """

    penalty: float
    iterations: int
    folds: int = 5
    caution: CautionSettings = field(default_factory=CautionSettings)

    def __post_init__(self) -> None:
        _require(self.penalty >= 0, 'fusion.penalty', self.penalty, 'at least 0')
        _require(self.iterations >= 1, 'fusion.iterations', self.iterations, 'at least 1')
        _require(self.folds >= 2, 'fusion.folds', self.folds, 'at least 2')


def _require(kept: bool, key: str, value: object, requirement: str) -> None:
    if not kept:
        raise ConfigError(f'coder.{key} must be {requirement}, not {value!r}')
