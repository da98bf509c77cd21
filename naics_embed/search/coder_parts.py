"""What a coder is made of, read from a bundle."""

from dataclasses import dataclass
from pathlib import Path

from naics_embed.bundle.storage import CODER
from naics_embed.errors import ArtifactError, UserError
from naics_embed.evidence.conformal import Conformal
from naics_embed.evidence.fusion import Fusion
from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.evidence.source_gate import Adaptation
from naics_embed.search.scoring import FUSED
from naics_embed.search.searcher import Searcher
from naics_embed.search.storage import CODER_FILES, CONFORMAL, FROZEN, read_evidence
from naics_embed.taxonomy import LEAF_LEVEL
from naics_embed.text.inference.frozen import PairedEncoder, read_frozen
from naics_embed.text.inference.packed import encoder_pair
from naics_embed.text.inference.precisions import PRECISIONS


@dataclass(frozen=True)
class CoderParts:
    """What a coder is made of.

    Attributes:
        searcher: the table and the trained encoder.
        evidence: known texts.
        fusion: weights of the scores.
        encoder: the trained and the frozen encoder.
        precision: number format of the encoder.
        adaptation: of a bundle that has learned labels.
        conformal: what sets of codes with a coverage need.
    """

    searcher: Searcher
    evidence: KnownTexts
    fusion: Fusion
    encoder: PairedEncoder
    precision: str
    adaptation: Adaptation | None
    conformal: Conformal | None


def read_parts(path: Path | str | None, *, verify: bool, precision: str) -> CoderParts:
    """Read the parts of a coder; the arguments and errors are those of `Coder.load`."""
    if precision not in PRECISIONS:
        raise UserError(f'precision must be one of {", ".join(PRECISIONS)}, not {precision!r}')
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
    frozen = read_frozen(folder / FROZEN, searcher.backbone)
    encoder = encoder_pair(searcher.tokenizer, searcher.backbone, frozen, precision)
    conformal = Conformal.read(folder / CONFORMAL) if (folder / CONFORMAL).is_file() else None
    return CoderParts(searcher, evidence, fusion, encoder, precision, adaptation, conformal)
