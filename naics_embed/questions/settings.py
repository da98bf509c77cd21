"""Settings of questions."""

from dataclasses import dataclass

from naics_embed.errors import ConfigError


@dataclass(frozen=True)
class QuestionSettings:
    """When a question is asked, and how. The defaults are those of ``configs/base.yaml``.

    Attributes:
        least_gain: expected gain in the probability of the best code from which a question is
            asked.
        least_gain_wanted: the same where a person asked for a question and the best code does not
            pass the confidence, as by ``search --ask``.
        reliability: probability that an answer is right.
        most_options: most options that stand for codes.
        least_probability: probability from which a code is a candidate for an option.
        candidates: most codes from which a question is drawn.
        plainness: fraction of the greatest gain that a question of a plainer kind must reach to be
            preferred.
        vague_sector: probability of the best sector below which a text is too vague to code.
        examples: most examples of an option.
        most_words: most words of an option.
    """

    least_gain: float = 0.24
    least_gain_wanted: float = 0.05
    reliability: float = 0.95
    most_options: int = 5
    least_probability: float = 0.04
    candidates: int = 12
    plainness: float = 0.7
    vague_sector: float = 0.35
    examples: int = 2
    most_words: int = 14

    def __post_init__(self) -> None:
        for name in ('least_gain', 'least_gain_wanted', 'least_probability', 'vague_sector'):
            self._require(0 <= getattr(self, name) < 1, name, 'at least 0 and below 1')
        self._require(0.5 < self.reliability < 1, 'reliability', 'above 0.5 and below 1')
        self._require(0 < self.plainness <= 1, 'plainness', 'above 0 and at most 1')
        self._require(self.most_options >= 2, 'most_options', 'at least 2')
        self._require(self.candidates >= self.most_options, 'candidates', 'at least most_options')
        self._require(self.examples >= 0, 'examples', 'at least 0')
        self._require(self.most_words >= 6, 'most_words', 'at least 6')

    def _require(self, kept: bool, name: str, requirement: str) -> None:
        if not kept:
            value = getattr(self, name)
            raise ConfigError(f'service.questions.{name} must be {requirement}, not {value!r}')
