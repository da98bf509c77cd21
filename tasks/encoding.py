"""Stage: every text through the frozen backbone, once."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.text.backbone import BackboneFiles, load_backbone
from naics_embed.text.encoding import write_encoding
from naics_embed.text.tokens import TokenTable
from tasks.stage import Result, Stage, StageContext


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    frozen_layers: int,
    batch_tokens: int,
) -> Result:
    """Write ``encoding.safetensors``: sentence embeddings, and states after the frozen layers."""
    # peft takes seconds to load, and a run that finds this stage cached does not need it.
    from naics_embed.text.encoder import encode_corpus

    table = TokenTable.read(Path(inputs['tokens'].path))
    backbone = load_backbone(backbone_of(inputs))
    embeddings, states = encode_corpus(backbone, table, frozen_layers, batch_tokens)
    write_encoding(out / 'encoding.safetensors', embeddings, states)
    return Result(
        {'encoding': 'encoding.safetensors'}, {'texts': len(table), 'tokens': len(table.ids)}
    )


def backbone_inputs(files: BackboneFiles) -> dict[str, Artifact]:
    """Return the files of a backbone as inputs of a stage."""
    return {
        'weights': Artifact.of(files.folder / 'model.safetensors'),
        'architecture': Artifact.of(files.folder / 'config.json'),
        'tokenizer': Artifact.of(files.folder / 'tokenizer.json'),
    }


def backbone_of(inputs: dict[str, Artifact]) -> BackboneFiles:
    """Rebuild the location of a backbone from the inputs of a stage."""
    return BackboneFiles(
        Path(inputs['weights'].path).parent,
        'stage input',
        inputs['weights'].sha256,
        inputs['tokenizer'].sha256,
    )


encoding = Stage(
    'encoding',
    write,
    (
        'naics_embed.text.backbone',
        'naics_embed.text.encoder',
        'naics_embed.text.encoding',
        'naics_embed.text.tokens',
    ),
)
