"""Hides torch and transformers from an interpreter, as where they are not installed.

Python imports this module by itself at the start of a process whose PYTHONPATH has its folder.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

HIDDEN = ('torch', 'transformers')


class WithoutTorch(PathFinder):
    """The finder of installed packages, less two of them."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, None for a hidden one."""
        if fullname.partition('.')[0] in HIDDEN:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTorch
