"""Stage: the bundle that users load."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from naics_embed.artifacts import MANIFEST, Artifact, read_json
from naics_embed.bundle import MODEL_CARD, Space, write_bundle
from naics_embed.config.model import ModelConfig
from naics_embed.export.model_card import model_card
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.stage import Result, Stage, StageContext


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    model: ModelConfig,
    temperature: float,
    champion: str,
    source: dict[str, Any],
    configuration: dict[str, Any],
) -> Result:
    """Write the directory ``bundle``; the configuration is that of `config.describe`."""
    taxonomy = taxonomy_of(inputs['codebook'])
    supervised = (splits_of(inputs['structure_holdout'], taxonomy) == SUPERVISED).astype(bool)
    encoder = Path(inputs['model'].path)
    window = configuration['backbone']['window']
    write_bundle(
        out / 'bundle',
        frame_of(inputs['codebook']),
        supervised,
        load_file(inputs['table'].path)['tangents'].numpy(),
        encoder,
        Space(model.dim, model.curvature, model.r_max, temperature, window),
        read_json(Path(inputs['figures'].path)),
        {'source': source, 'table': champion, 'configuration': configuration},
        Path(inputs['coder'].path),
        Path(inputs['disk'].path),
        card=model_card,
    )
    for name in (MANIFEST, MODEL_CARD):
        context.tracking.artifact(out / 'bundle' / name)
    return Result({'bundle': 'bundle'})


export = Stage('export', write, ('naics_embed.bundle', 'naics_embed.export.model_card'))
