"""Hides packages from an interpreter, as where they are not installed.

``HIDDEN_PACKAGES`` names them, apart by blanks.

Python imports this module by itself at the start of a process whose PYTHONPATH has its folder.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

HIDDEN = frozenset(os.environ.get('HIDDEN_PACKAGES', '').split())


class WithoutSome(PathFinder):
    """The finder of installed packages, less the hidden ones."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, None for a hidden one."""
        if fullname.partition('.')[0] in HIDDEN:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutSome
