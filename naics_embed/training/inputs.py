"""Settings and result of the text stage."""

from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from naics_embed.config.model import ModelConfig
from naics_embed.config.objective import ObjectiveConfig
from naics_embed.config.training import CurriculumConfig, TrainingConfig
from naics_embed.text.head import LorentzHead


@dataclass(frozen=True)
class TextSettings:
    """Settings of the text stage.

    Attributes:
        model: space and encoder.
        objective: weights of the terms.
        training: the optimisation.
        frozen_layers: lower layers without adapters.
        batch_tokens: tokens of an inference batch.
        seed: seed of every draw.
        curriculum: phases of the negatives.
    """

    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    frozen_layers: int
    batch_tokens: int
    seed: int
    curriculum: CurriculumConfig


@dataclass(frozen=True)
class TrainedText:
    """Result of the text stage: the best epoch by validation, not the last.

    Attributes:
        tangents: float64 ``(n, dim)``, all codes; hidden ones are embedded by text alone,
            at the usual radius of their level.
        backbone: the transformer with the adapter of queries folded in.
        head: the Lorentz head.
        temperature: factor on the distance in the cross-entropy.
        curvature: c of the space, as configured or as learned.
        history: metrics of each epoch, the head-only ones first.
        best_epoch: the epoch that was kept, as an index of ``history``.
        head_only_epochs: how many epochs of ``history`` trained on frozen embeddings, before the
            others.
        parameters: numbers of all and of trainable parameters.
        state: head, fusion, codes and temperature, from which another training can start.
        adapters: name of an adapter → its weights; empty where there are none.
    """

    tangents: Tensor
    backbone: PreTrainedModel
    head: LorentzHead
    temperature: float
    curvature: float
    history: list[dict[str, float]]
    best_epoch: int
    head_only_epochs: int
    parameters: dict[str, int]
    state: dict[str, Tensor]
    adapters: dict[str, dict[str, Tensor]]
