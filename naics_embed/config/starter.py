"""Settings of the starter: the bundle that is built where nothing was trained."""

from dataclasses import dataclass, field

from naics_embed.evidence.settings import CautionSettings, EvidenceSettings, FusionSettings


@dataclass(frozen=True)
class StarterConfig:
    """How a starter is built; small enough for a minute on two cores.

    Attributes:
        backbone: the frozen sentence encoder.
        revision: its commit on the hub, for one that no installed package carries.
        window: tokens of a text that it reads.
        batch_tokens: tokens of a batch.
        dim: dimensions of the space; its curvature is −1.
        r_max: bound of the radius.
        tau: length of an edge of the construction.
        spread: of its siblings.
        shrink: factor on the radii of the code points, so that texts can lie between them.
        temperature: factor on the distance alone, where nothing is fused.
        head_ridge: penalty of the regression from embeddings to code points.
        linear_ridge: penalty of the linear evidence.
        linear_scale: factor on its scores.
        head_units: size of the hidden layer of the head, which is zero.
        business_texts: business texts of a code that are evidence, the first ones.
        fitted_texts: validation texts to which the weights of the evidence are fitted.
        evidence: how known texts are indexed.
        fusion: how the weights are fitted.
        seed: of the construction and of the choice of texts.
    """

    backbone: str = 'sentence-transformers/all-MiniLM-L6-v2'
    revision: str | None = None
    window: int = 128
    batch_tokens: int = 2048
    dim: int = 64
    r_max: float = 5.0
    tau: float = 0.85
    spread: float = 0.75
    shrink: float = 0.9
    temperature: float = 12.0
    head_ridge: float = 0.1
    linear_ridge: float = 0.1
    linear_scale: float = 20.0
    head_units: int = 8
    business_texts: int = 3
    fitted_texts: int = 600
    evidence: EvidenceSettings = field(
        default_factory=lambda: EvidenceSettings(20.0, 4, 1.2, 0.5, 0.4, 2000)
    )
    fusion: FusionSettings = field(
        default_factory=lambda: FusionSettings(1.0e-2, 40, 2, CautionSettings(1.0, 0.75, 0.5))
    )
    seed: int = 0
