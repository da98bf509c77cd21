"""Stage: the bundle that users load."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from naics_embed.artifacts import MANIFEST, Artifact, read_json
from naics_embed.bundle.storage import MODEL_CARD, TRANSPARENCY, Space, write_bundle
from naics_embed.export.model_card import model_card
from naics_embed.export.transparency import transparency_text
from tasks.engine.stage import Result, StageContext
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    text_model: Artifact,
    table: Artifact,
    metrics: Artifact,
    coder: Artifact,
    disk: Artifact,
    curvature: float,
    temperature: float,
    champion: str,
    source_description: dict[str, Any],
    configuration: dict[str, Any],
    dim: int,
    r_max: float,
) -> Result:
    """Write the directory ``bundle``; the configuration is that of `config.describe`."""
    taxonomy = taxonomy_of(codebook)
    supervised = (splits_of(structure_holdout, taxonomy) == SUPERVISED).astype(bool)
    encoder = Path(text_model.path)
    window = configuration['backbone']['window']
    write_bundle(
        out / 'bundle',
        frame_of(codebook),
        supervised,
        load_file(table.path)['tangents'].numpy(),
        encoder,
        Space(dim, curvature, r_max, temperature, window),
        read_json(Path(metrics.path)),
        {'source': source_description, 'table': champion, 'configuration': configuration},
        Path(coder.path),
        Path(disk.path),
        card=model_card,
        transparency=transparency_text,
    )
    for name in (MANIFEST, MODEL_CARD, TRANSPARENCY):
        context.tracking.artifact(out / 'bundle' / name)
    return Result({'bundle': 'bundle'})
