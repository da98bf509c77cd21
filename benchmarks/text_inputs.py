"""Inputs of text training from the files of a finished run, for benchmarks."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.config.schema import Config
from naics_embed.errors import ArtifactError
from naics_embed.text.backbone import locate_backbone
from naics_embed.text.inputs import TextInputs
from naics_embed.training.inputs import TextSettings
from tasks.encoding import backbone_inputs
from tasks.text_training import TrainingFiles, prepare_inputs

FILES = {
    'codebook': ('codebook', 'codebook.parquet'),
    'redirections': ('redirections', 'redirections.parquet'),
    'structure_holdout': ('structure_holdout', 'structure_holdout.parquet'),
    'queries': ('queries', 'queries.parquet'),
    'channels': ('queries', 'channels.parquet'),
    'tokens': ('tokens', 'tokens.parquet'),
    'encoding': ('encoding', 'encoding.safetensors'),
    'construction': ('construction', 'construction.safetensors'),
}


def newest(root: Path, stage: str, file: str) -> Path:
    """Return a stage's newest file of that name. Raises ArtifactError where there is none."""
    found = sorted((root / stage).glob(f'*/{file}'), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ArtifactError(
            f'{root / stage} holds no {file}: run `naics-embed train` once with runtime.root={root}'
        )
    return found[-1]


def settings_of(config: Config) -> TextSettings:
    """Return the settings of the text stage."""
    return TextSettings(
        config.model,
        config.objective,
        config.training,
        config.backbone.frozen_layers,
        config.backbone.batch_tokens,
        config.runtime.seed,
        config.curriculum,
    )


def text_inputs(root: Path, config: Config) -> TextInputs:
    """Read what the text stage reads, from the newest files under the root of a finished run.

    Raises:
        ArtifactError: a stage has not run there.
    """
    files = {name: Artifact.of(newest(root, stage, file)) for name, (stage, file) in FILES.items()}
    backbone = backbone_inputs(locate_backbone(config.backbone.name, config.backbone.revision))
    return prepare_inputs(
        TrainingFiles(**files, backbone=backbone),
        config.model,
        config.training,
        config.construction.shrink,
        config.runtime.seed,
    )
