"""The query nearest to its code by the distances to the code's point and to its training texts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.errors import ConfigError
from naics_embed.objective.term import ModelChoice, Needs, Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naics_embed.objective.step import Step
    from naics_embed.text.inputs import TextInputs
    from naics_embed.text.memory_bank import MemoryBank
    from naics_embed.text.model import TextModel


@dataclass(frozen=True, kw_only=True)
class Memory(Term):
    """Cross-entropy of six-digit codes by their distances and those of their texts.

    The logits are −temperature · (distance to the code + share · soft minimum over its texts), as
    `evaluation.memory` ranks codes.

    A query is left out of the texts that it is compared with, so each code has one score and one
    normaliser, in which texts of the right code are never negatives.

    Attributes:
        nearest: known texts of a query that count; the nearest wrong ones are its hard negatives.
        share: weight of the texts, where that of the code's point is 1.
        sharpness: of the soft minimum.
        refresh_steps: steps between two passes of all known texts through the head.
    """

    name: ClassVar[str] = 'memory'
    nearest: int
    share: float
    sharpness: float
    refresh_steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        name = 'objective.memory'
        for key in ('nearest', 'refresh_steps'):
            require(getattr(self, key) >= 1, f'{name}.{key}', getattr(self, key), 'at least 1')
        for key in ('share', 'sharpness'):
            require(getattr(self, key) > 0, f'{name}.{key}', getattr(self, key), 'positive')

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def check_model(self, model: ModelChoice) -> None:
        if model.geometry != 'lorentz':
            raise ConfigError(
                f'objective.memory finds texts in the Lorentz space, and model.geometry is '
                f'{model.geometry}: set its weight to 0'
            )

    def check_inputs(self, inputs: 'TextInputs') -> None:
        if not inputs.teaches_leaves:
            raise ConfigError(
                'objective.memory needs training queries of six-digit codes, and there are none: '
                'set its weight to 0'
            )

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return teaches_leaves

    def prepare(self, inputs: 'TextInputs', seed: int) -> 'MemoryBank | None':
        """Collect the training texts of leaf codes, each once; None where there are none."""
        if not inputs.teaches_leaves:
            return None
        import numpy as np
        import torch

        from naics_embed.text.memory_bank import MemoryBank

        of_leaves = np.isin(inputs.train.targets, inputs.leaves)
        rows, first = np.unique(inputs.train.rows[of_leaves], return_index=True)
        return MemoryBank(
            torch.from_numpy(rows),
            torch.from_numpy(inputs.train.targets[of_leaves][first]),
            torch.from_numpy(inputs.corpus.embeddings[rows]),
        )

    def acts(self, model: 'TextModel', state: 'nn.Module | None') -> bool:
        return state is not None

    def value(self, step: 'Step') -> 'Tensor | None':
        import torch
        from torch.nn.functional import cross_entropy

        from naics_embed.geometry.soft_minimum import soft_minimum
        from naics_embed.text.memory_bank import MemoryBank

        bank, model = step.states[self.name], step.model
        assert isinstance(bank, MemoryBank)
        space = model.space
        if not len(bank.points) or int(bank.age) >= self.refresh_steps:
            bank.refresh(lambda part: space.exp0(model.head.tangent(part).double()))
        at = bank.positions(step.rows)
        known = (at >= 0).nonzero().squeeze(1)
        value = None
        if len(known):
            own = at[known]
            points, target = step.query_points[known], bank.codes[own]
            near = bank.nearest(points.detach(), self.nearest, own, c=model.curvature)
            leaves = torch.unique(bank.codes)
            column = torch.full((len(step.codes),), -1, device=target.device)
            column[leaves] = torch.arange(len(leaves), device=target.device)
            of_texts = soft_minimum(
                space.distance(points[:, None], bank.points[near]),
                column[bank.codes[near]],
                len(leaves),
                sharpness=self.sharpness,
            )
            distance = space.pairwise(points, step.codes[leaves]) + self.share * of_texts
            value = cross_entropy(-model.temperature * distance, column[target])
        with torch.no_grad():
            renewed = at[known]
            of_step = step.queries[known]
            clean = space.exp0(model.head.tangent(of_step).double())
            bank.renew(renewed, of_step, clean)
        return value
