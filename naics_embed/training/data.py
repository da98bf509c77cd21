"""What a training step reads: queries of similar length, codes to place, pairs of the tree."""

from collections.abc import Iterator
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.tokens import length_batches

LENGTH_POOL = 8
"""Batches whose queries are sorted by length together; small enough to keep batches random."""


@dataclass
class Batch:
    """One training step.

    Attributes:
        hidden: float32 ``(b, t, width)``, states of the queries after the frozen layers.
        mask: bool ``(b, t)``.
        target: int64 ``(b,)``.
        placed: int64 ``(p,)``, codes placed by their channels in this step.
        channel_hidden: float32 ``(p·channels, t', width)``.
        channel_mask: bool ``(p·channels, t')``; a row of an absent channel keeps one token.
        channel_present: bool ``(p, channels)``.
        drawn: int64 ``(k,)``, codes all pairs of which enter the tree term.
    """

    hidden: Tensor
    mask: Tensor
    target: Tensor
    placed: Tensor
    channel_hidden: Tensor
    channel_mask: Tensor
    channel_present: Tensor
    drawn: Tensor


@dataclass(frozen=True)
class BatchSettings:
    """Sizes of a training step.

    Attributes:
        batch: queries.
        placed: codes placed by their channels.
        channel_tokens: tokens kept of a channel text.
        drawn: codes drawn for the tree term.
        seed: seed of every draw.
    """

    batch: int
    placed: int
    channel_tokens: int
    drawn: int
    seed: int


class StepSampler(Sampler[tuple[np.ndarray, np.ndarray, np.ndarray]]):
    """Yields (queries, placed codes, drawn codes) for each step of an epoch.

    The draw depends on the seed and the epoch only, so a resumed run sees the same steps.
    """

    def __init__(
        self, lengths: np.ndarray, supervised: np.ndarray, settings: BatchSettings
    ) -> None:
        """Args: token counts of the queries; positions of supervised codes; sizes."""
        self.lengths = lengths
        self.supervised = supervised
        self.settings = settings
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose steps are drawn; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.settings.batch)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
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
        places = np.concatenate(
            [random.permutation(self.supervised) for _ in range(self._rounds(len(steps)))]
        )
        drawn = min(self.settings.drawn, len(self.supervised))
        for number in random.permutation(len(steps)):
            placed = places[number * self.settings.placed : (number + 1) * self.settings.placed]
            yield steps[number], placed, random.choice(self.supervised, drawn, replace=False)

    def _rounds(self, steps: int) -> int:
        return max(1, -(-steps * self.settings.placed // len(self.supervised)))


class StepDataset(Dataset[Batch]):
    """Builds the batch of a step; its index is what `StepSampler` yields."""

    def __init__(self, corpus: TextCorpus, queries: QuerySet, settings: BatchSettings) -> None:
        self.corpus = corpus
        self.queries = queries
        self.settings = settings

    def __getitem__(self, step: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Batch:
        queries, placed, drawn = step
        hidden, mask = self.corpus.hidden(self.queries.rows[queries])
        channels = self.corpus.channels[placed]
        present = channels >= 0
        channel_hidden, channel_mask = self.corpus.hidden(
            np.where(present, channels, channels.max()).ravel(), self.settings.channel_tokens
        )
        return Batch(
            hidden,
            mask,
            torch.from_numpy(self.queries.targets[queries]),
            torch.from_numpy(placed),
            channel_hidden,
            channel_mask,
            torch.from_numpy(present),
            torch.from_numpy(drawn),
        )


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
    ) -> None:
        """Args: texts; training and validation queries; supervised positions; sizes."""
        super().__init__()
        self.corpus = corpus
        self.train = train
        self.validation = validation
        self.supervised = supervised
        self.settings = settings
        self.batch_tokens = batch_tokens

    def train_dataloader(self) -> DataLoader[Batch]:
        """One item a step; batching is the sampler's."""
        lengths = self.corpus.tokens.lengths[self.train.rows]
        sampler = StepSampler(lengths, self.supervised, self.settings)
        dataset = StepDataset(self.corpus, self.train, self.settings)
        return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=0)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
        """Yields (hidden, mask, positions in the validation set)."""
        lengths = self.corpus.tokens.lengths[self.validation.rows]
        batches = list(length_batches(lengths, self.batch_tokens))
        dataset = _ValidationDataset(self.corpus, self.validation, batches)
        return DataLoader(dataset, batch_size=None, shuffle=False, num_workers=0)


class _ValidationDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    def __init__(self, corpus: TextCorpus, queries: QuerySet, batches: list[np.ndarray]) -> None:
        self.corpus = corpus
        self.queries = queries
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        positions = self.batches[index]
        hidden, mask = self.corpus.hidden(self.queries.rows[positions])
        return hidden, mask, torch.from_numpy(positions)
