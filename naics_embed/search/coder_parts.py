"""What a coder is made of, read from a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.bundle.promotion import artifact_root
from naics_embed.bundle.storage import CODER, HEAD
from naics_embed.errors import ArtifactError, UserError
from naics_embed.evidence.conformal import Conformal
from naics_embed.evidence.fusion import Fusion
from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.evidence.source_gate import Adaptation
from naics_embed.optional import is_installed, need_torch
from naics_embed.search.scoring import FUSED
from naics_embed.search.searcher import BATCH_TOKENS, Searcher
from naics_embed.search.storage import CODER_FILES, CONFORMAL, FROZEN, read_evidence
from naics_embed.taxonomy import LEAF_LEVEL
from naics_embed.text.inference.light import LightEncoder, torch_is_needed
from naics_embed.text.inference.precisions import AUTO, FLOAT32, PRECISIONS

if TYPE_CHECKING:
    from naics_embed.text.inference.frozen import PairedEncoder


@dataclass(frozen=True)
class CoderParts:
    """What a coder is made of.

    Attributes:
        searcher: the table and the trained encoder.
        evidence: known texts.
        fusion: weights of the scores.
        precision: number format of the encoder.
        adaptation: of a bundle that has learned labels.
        conformal: what sets of codes with a coverage need.
    """

    searcher: Searcher
    evidence: KnownTexts
    fusion: Fusion
    precision: str
    adaptation: Adaptation | None
    conformal: Conformal | None

    @cached_property
    def encoder(self) -> 'PairedEncoder':
        """The trained and the frozen encoder, on torch.

        Raises:
            ArtifactError: a file is damaged.
            MissingPackageError: torch is not installed.
            UserError: the encoder has no such precision.
        """
        need_torch(f'the encoder of {self.searcher.bundle.path}')
        from naics_embed.text.inference.frozen import read_frozen
        from naics_embed.text.inference.packed import encoder_pair
        from naics_embed.text.inference.processor import self_test

        searcher = self.searcher
        frozen = read_frozen(searcher.bundle.path / CODER / FROZEN, searcher.backbone)
        pack = self_test(artifact_root()).packs
        return encoder_pair(
            searcher.tokenizer, searcher.backbone, frozen, self.precision, pack=pack
        )

    @cached_property
    def light(self) -> LightEncoder | None:
        """The same encoders on numpy, for a few texts; None where there are none of this kind.

        Raises:
            ArtifactError: a file is damaged.
        """
        if self.precision != FLOAT32:
            return None
        bundle = self.searcher.bundle
        return LightEncoder.read(
            bundle.encoder,
            bundle.path / CODER / FROZEN,
            bundle.encoder / HEAD,
            self.searcher.tokenizer,
            curvature=bundle.space.curvature,
            r_max=bundle.space.r_max,
        )

    def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return unit embeddings by the trained and by the frozen transformer.

        By numpy for a few texts, and where torch is not installed.

        Returns:
            twice float32 ``(len(texts), width)``.
        """
        light = None if torch_is_needed(len(texts)) else self.light
        if light is not None:
            return light.embed(texts)
        trained, frozen = self.encoder.embed(texts, BATCH_TOKENS)
        return trained.numpy(), frozen.numpy()

    def place(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return points by the trained and embeddings by the frozen transformer.

        Returns:
            float64 ``(len(texts), dim)`` and float32 ``(len(texts), width)``.
        """
        light = None if torch_is_needed(len(texts)) else self.light
        if light is not None:
            trained, frozen = light.embed(texts)
            return light.points(trained), frozen
        embeddings, of_frozen = self.encoder.embed(texts, BATCH_TOKENS)
        return self.searcher.points_of(embeddings).numpy(), of_frozen.numpy()

    def read_encoder(self) -> None:
        """Read the encoder of the first answers, whose faults are then reported at once."""
        if torch_is_needed(1) or self.light is None:
            _ = self.encoder


def read_parts(path: Path | str | None, *, verify: bool, precision: str) -> CoderParts:
    """Read the parts of a coder; the arguments and errors are those of `Coder.load`."""
    if precision not in (*PRECISIONS, AUTO):
        raise UserError(
            f'precision must be one of {", ".join((*PRECISIONS, AUTO))}, not {precision!r}'
        )
    if precision == AUTO and not is_installed('torch'):
        precision = FLOAT32
    if precision != FLOAT32:
        need_torch(f'precision {precision}')
        from naics_embed.text.inference.processor import self_test

        precision = self_test(artifact_root()).chosen(precision)
    searcher = Searcher.load(path, verify=verify)
    folder = searcher.bundle.path / CODER
    listed = searcher.bundle.manifest['files']
    missing = [name for name in CODER_FILES if f'{CODER}/{name}' not in listed]
    if missing:
        raise ArtifactError(
            f'bundle {searcher.bundle.path} was exported without {CODER}/{missing[0]}; '
            'export it again, or search by distance with naics_embed.Searcher'
        )
    codes = [
        code
        for code, level in zip(searcher.codes, searcher.level, strict=True)
        if level == LEAF_LEVEL
    ]
    evidence, fusion, adaptation = read_evidence(folder, codes, FUSED)
    conformal = Conformal.read(folder / CONFORMAL) if (folder / CONFORMAL).is_file() else None
    parts = CoderParts(searcher, evidence, fusion, precision, adaptation, conformal)
    parts.read_encoder()
    return parts
