"""Packages that an installation may lack: torch is for training, and for many texts at once."""

import sys
from importlib.util import find_spec

from naics_embed.errors import MissingPackageError

INSTALL = "pip install 'naics-embed[torch]'"
TORCH = ('torch', 'transformers')
"""What the extra ``torch`` installs."""


def is_installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported."""
    return find_spec(package) is not None


def is_loaded(package: str) -> bool:
    """Whether a package has been imported already."""
    return sys.modules.get(package) is not None


def torch_is_missing(what: str, package: str = 'torch') -> MissingPackageError:
    """Return the error for something that needs torch, where there is none."""
    return MissingPackageError(f'{what} needs {package}, which is not installed: {INSTALL}')


def need_torch(what: str) -> None:
    """Raise MissingPackageError where torch is not installed.

    Args:
        what: what needs it, as the subject of the sentence.
    """
    if not is_installed('torch'):
        raise torch_is_missing(what)
