"""The candidate tables of a run."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact

TEXT = 'text'


def tables_of(text_model: Artifact, refined: Artifact | None) -> dict[str, torch.Tensor]:
    """Return name → tangents, float64 ``(n, dim)``: the text table, and those of refinement."""
    text = load_file(Path(text_model.path) / 'tables.safetensors')['tangents'].double()
    return {TEXT: text, **({} if refined is None else load_file(refined.path))}
