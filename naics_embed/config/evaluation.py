"""What is measured beside the trained model, and the hybrid search."""

from dataclasses import dataclass

from naics_embed.baselines.settings import BASELINES, BaselineSettings
from naics_embed.evidence.settings import EvidenceSettings, FusionSettings
from naics_embed.value_checks import one_of, require


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured beside the retrieval metrics.

    Attributes:
        norm_weights: weights of the radius that the norm-aware ancestor score may have; which one,
            is chosen on a tenth of the supervised codes.
        chunk: rows of the distance matrix computed at a time.
        compared: names of the baselines that are fitted in the same run.
        baselines: their values.
    """

    norm_weights: tuple[float, ...]
    chunk: int
    compared: tuple[str, ...]
    baselines: BaselineSettings

    def __post_init__(self) -> None:
        require(
            bool(self.norm_weights) and all(weight >= 0 for weight in self.norm_weights),
            'evaluation.norm_weights',
            self.norm_weights,
            'one or more numbers from 0',
        )
        require(self.chunk >= 1, 'evaluation.chunk', self.chunk, 'at least 1')
        for name in self.compared:
            one_of('evaluation.compared', name, BASELINES)


@dataclass(frozen=True)
class CoderConfig:
    """The hybrid search.

    Attributes:
        evidence: how training texts are indexed.
        fusion: how the weights of the scores are fitted.
        confidence: probability that the confident code must pass in the metrics.
    """

    evidence: EvidenceSettings
    fusion: FusionSettings
    confidence: float

    def __post_init__(self) -> None:
        require(0 < self.confidence <= 1, 'coder.confidence', self.confidence, 'in (0, 1]')
