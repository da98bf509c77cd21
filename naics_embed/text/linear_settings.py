"""Settings of the classifier that distillation uses; without torch, for the configuration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearTeacherSettings:
    """How the classifier is fitted.

    Attributes:
        epochs: passes over the texts.
        batch: texts of a step.
        lr: learning rate at the start; it falls linearly to 0.
        dropout: fraction of the embedding's coordinates that are dropped in each step.
        scale: initial factor on the cosine with a class mean.
    """

    epochs: int
    batch: int
    lr: float
    dropout: float
    scale: float
