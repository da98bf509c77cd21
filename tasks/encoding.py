"""Stage: every text through the frozen backbone, once."""

from collections.abc import Mapping
from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.text.backbone import BackboneFiles, load_backbone
from naics_embed.text.encoding import write_encoding
from naics_embed.text.tokens import TokenTable
from tasks.engine.stage import Result, StageContext


def write(
    out: Path,
    context: StageContext,
    *,
    tokens: Artifact,
    backbone: Mapping[str, Artifact],
    frozen_layers: int,
    batch_tokens: int,
) -> Result:
    """Write ``encoding.safetensors``: sentence embeddings, and states after the frozen layers."""
    # peft takes seconds to load, and a run that finds this stage cached does not need it.
    from naics_embed.text.encoder import encode_corpus

    table = TokenTable.read(Path(tokens.path))
    loaded = load_backbone(backbone_of(backbone))
    embeddings, states = encode_corpus(loaded, table, frozen_layers, batch_tokens)
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


def backbone_of(backbone: Mapping[str, Artifact]) -> BackboneFiles:
    """Rebuild the location of a backbone from what a stage reads."""
    return BackboneFiles(
        Path(backbone['weights'].path).parent,
        'stage input',
        backbone['weights'].sha256,
        backbone['tokenizer'].sha256,
    )
