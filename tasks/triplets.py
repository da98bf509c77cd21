"""Stage: training triplets, sampled by structure."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.sampling import TripletSettings
from naics_embed.supervision.triplets import write_triplets
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, redirect_pairs, splits_of, taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    redirections: Artifact,
    structure_holdout: Artifact,
    triplets: TripletSettings,
) -> Result:
    """Write the directory ``triplets``."""
    taxonomy = taxonomy_of(codebook)
    pairs = redirect_pairs(frame_of(redirections), taxonomy)
    hidden = (splits_of(structure_holdout, taxonomy) != SUPERVISED).astype(bool)
    counts = write_triplets(taxonomy, pairs, hidden, triplets, out / 'triplets')
    return Result(
        {'triplets': 'triplets'},
        {f'triplets_{kind.replace(" ", "_")}': n for kind, n in counts.items()},
    )
