"""Storage of what the frozen backbone makes of every text."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file
from safetensors.torch import load_file

from naics_embed.errors import ArtifactError

NAMES = ('embeddings', 'states')


def write_encoding(path: Path, embeddings: np.ndarray, states: np.ndarray) -> None:
    """Write float32 ``(texts, width)`` embeddings and float16 ``(tokens, width)`` states."""
    save_file({'embeddings': embeddings, 'states': states}, path)


def read_encoding(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what `write_encoding` wrote: arrays that lie in the file until something touches them.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise ArtifactError(f'{path} is damaged ({error}); delete it and run again') from error
    if set(found) != set(NAMES):
        raise ArtifactError(f'{path} holds {sorted(found)}, not {", ".join(NAMES)}')
    return found['embeddings'].numpy(), found['states'].numpy()
