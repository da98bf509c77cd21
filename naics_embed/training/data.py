"""Batches of a training step: queries of similar length, codes to encode, pairs of the tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from naics_embed.objective.gather import world
from naics_embed.objective.step import Batch
from naics_embed.text.corpus import QuerySet, TextBatch, TextCorpus
from naics_embed.text.tokens import length_batches

LENGTH_POOL = 8
"""Batches whose queries are sorted by length together; small enough to keep batches random."""


@dataclass(frozen=True)
class BatchSettings:
    """Sizes of a training step.

    Attributes:
        batch: queries.
        placed: codes whose channels are encoded; 0 for none.
        channel_tokens: tokens kept of a channel text.
        drawn: codes drawn for the terms of the tree.
        seed: seed of every draw.
        part_cost: tokens that a part with a padding of its own must save.
        states: whether texts come with hidden states, or with frozen embeddings only.
        place_targets: whether half of the placed codes are right answers of the step's queries.
    """

    batch: int
    placed: int
    channel_tokens: int
    drawn: int
    seed: int
    part_cost: int
    states: bool = True
    place_targets: bool = False


class Step(NamedTuple):
    """What a step is made of: positions of queries, placed codes, drawn codes and partners."""

    queries: np.ndarray
    placed: np.ndarray
    drawn: np.ndarray
    partner: np.ndarray


class Neighbours:
    """Near codes of each code, by rings of tree distance.

    Args:
        tree_distance: ``(n, n)``, D*.
        supervised: int ``(m,)``, positions of the codes that may be drawn.
        most: largest D* of a near code.
    """

    def __init__(self, tree_distance: np.ndarray, supervised: np.ndarray, most: int) -> None:
        self.rings: dict[int, list[np.ndarray]] = {}
        for code in supervised.tolist():
            away = tree_distance[code, supervised]
            rings = [supervised[away == step] for step in range(1, most + 1)]
            self.rings[code] = [ring for ring in rings if len(ring)]

    def draw(self, code: int, random: np.random.Generator) -> int:
        """Return a near code, from each ring alike so that a parent is not lost among siblings.

        A code without near ones gets itself.
        """
        rings = self.rings[code]
        return int(random.choice(rings[random.integers(len(rings))])) if rings else code


class StepSampler(Sampler[Step]):
    """Yields the steps of an epoch.

    The draw depends on the seed and the epoch only, so a resumed run sees the same steps. Each of
    several processes yields its own part of a step's queries and placed codes.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        supervised: np.ndarray,
        settings: BatchSettings,
        neighbours: Neighbours | None = None,
        targets: np.ndarray | None = None,
    ) -> None:
        """Set up.

        Args:
            lengths: token counts of the queries.
            supervised: positions of supervised codes.
            settings: sizes.
            neighbours: near codes, where a term needs a partner of each anchor.
            targets: right answers of the queries, for ``settings.place_targets``.
        """
        self.lengths = lengths
        self.supervised = supervised
        self.settings = settings
        self.neighbours = neighbours
        self.targets = targets
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose steps are drawn; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.settings.batch)

    def __iter__(self) -> Iterator[Step]:
        random = np.random.default_rng([self.settings.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        pool = self.settings.batch * LENGTH_POOL
        steps: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            part = part[np.argsort(self.lengths[part], kind='stable')]
            steps.extend(
                part[i : i + self.settings.batch] for i in range(0, len(part), self.settings.batch)
            )
        order_of_codes = np.concatenate(
            [random.permutation(self.supervised) for _ in range(self._rounds(len(steps)))]
        )
        rank, size = world()
        for number in random.permutation(len(steps)):
            placed = order_of_codes[
                number * self.settings.placed : (number + 1) * self.settings.placed
            ]
            if self.settings.place_targets and self.targets is not None:
                right = self.targets[random.choice(steps[number], len(placed) // 2)]
                placed = np.concatenate([right, placed[len(right) :]])
            placed = np.array(list(dict.fromkeys(placed.tolist())), dtype=np.int64)
            drawn, partner = self._drawn(random)
            yield Step(steps[number][rank::size], placed[rank::size], drawn, partner)

    def _drawn(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        count = min(self.settings.drawn, len(self.supervised))
        drawn = random.choice(self.supervised, count, replace=False)
        if self.neighbours is None:
            return drawn, np.empty(0, dtype=np.int64)
        anchors = drawn[: max(1, count // 2)]
        near = [self.neighbours.draw(code, random) for code in anchors.tolist()]
        # Anchors first, then their partners, then others up to the count.
        codes = list(dict.fromkeys([*anchors.tolist(), *near, *drawn.tolist()]))
        codes = codes[: max(count, len(dict.fromkeys([*anchors.tolist(), *near])))]
        index = {code: i for i, code in enumerate(codes)}
        return np.array(codes), np.array([index[code] for code in near], dtype=np.int64)

    def _rounds(self, steps: int) -> int:
        return max(1, -(-steps * self.settings.placed // len(self.supervised)))


class StepDataset(Dataset[Batch]):
    """Builds the batch of a step; its index is what `StepSampler` yields."""

    def __init__(self, corpus: TextCorpus, queries: QuerySet, settings: BatchSettings) -> None:
        self.corpus = corpus
        self.queries = queries
        self.settings = settings

    def __getitem__(self, step: Step) -> Batch:
        rows = self.queries.rows[step.queries]
        against = self.queries.against
        channels = self.corpus.channels[step.placed]
        limit = self.settings.channel_tokens
        return Batch(
            torch.from_numpy(rows),
            self._texts(rows),
            torch.from_numpy(self.queries.targets[step.queries]),
            torch.from_numpy(
                np.full((len(rows), 1), -1) if against is None else against[step.queries]
            ),
            torch.from_numpy(step.placed),
            [self._texts(texts[texts >= 0], limit) for texts in channels.T],
            torch.from_numpy(channels >= 0),
            torch.from_numpy(step.drawn),
            torch.from_numpy(step.partner),
        )

    def _texts(self, rows: np.ndarray, limit: int | None = None) -> TextBatch:
        states, part_cost = self.settings.states, self.settings.part_cost
        return self.corpus.batch(rows, limit, states=states, part_cost=part_cost)


class TextDataModule(L.LightningDataModule):
    """Training steps, and validation texts in batches of similar length."""

    def __init__(
        self,
        corpus: TextCorpus,
        train: QuerySet,
        validation: QuerySet,
        supervised: np.ndarray,
        settings: BatchSettings,
        batch_tokens: int,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Args: texts; training and validation queries; supervised positions; sizes; near codes."""
        super().__init__()
        self.corpus = corpus
        self.train = train
        self.validation = validation
        self.supervised = supervised
        self.settings = settings
        self.batch_tokens = batch_tokens
        self.neighbours = neighbours

    def train_dataloader(self) -> DataLoader[Batch]:
        """One item a step; batching is the sampler's."""
        lengths = self.corpus.tokens.lengths[self.train.rows]
        sampler = StepSampler(
            lengths, self.supervised, self.settings, self.neighbours, self.train.targets
        )
        dataset = StepDataset(self.corpus, self.train, self.settings)
        return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=0)

    def val_dataloader(self) -> DataLoader[tuple[TextBatch, Tensor]]:
        """Yields texts and their positions in the validation set."""
        lengths = self.corpus.tokens.lengths[self.validation.rows]
        batches = list(length_batches(lengths, self.batch_tokens))
        dataset = _ValidationDataset(self.corpus, self.validation, batches, self.settings)
        return DataLoader(dataset, batch_size=None, shuffle=False, num_workers=0)


class _ValidationDataset(Dataset[tuple[TextBatch, Tensor]]):
    def __init__(
        self,
        corpus: TextCorpus,
        queries: QuerySet,
        batches: list[np.ndarray],
        settings: BatchSettings,
    ) -> None:
        self.settings = settings
        self.corpus = corpus
        self.queries = queries
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[TextBatch, Tensor]:
        positions = self.batches[index]
        rows = self.queries.rows[positions]
        texts = self.corpus.batch(
            rows, states=self.settings.states, part_cost=self.settings.part_cost
        )
        return texts, torch.from_numpy(positions)
