"""A hash of what source code does: the syntax trees of modules and of all that they import.

Comments, layout, docstrings and the texts of error and log messages are left out, so that
rewording one of them changes no hash.
"""

import ast
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard

from naics_embed.errors import ArtifactError

LOG_METHODS = frozenset({'debug', 'info', 'warning', 'error', 'exception', 'critical', 'log'})
LOGGERS = frozenset({'log', 'logger', 'logging', 'warnings'})


def source_fingerprint(
    modules: Iterable[str], packages: Mapping[str, Path], skipped: Iterable[str] = ()
) -> str:
    """Return a hash of modules and of all that they import from the same packages.

    Two Python versions give the same hash for the same source.

    Args:
        modules: dotted names, such as ``tasks.codebook``.
        packages: name of a package → its directory; imports from other packages do not count.
        skipped: dotted names that do not count, with what they alone import.

    Raises:
        ArtifactError: a module does not exist.

    Example:
        >>> import naics_embed
        >>> root = Path(naics_embed.__file__).parent
        >>> len(source_fingerprint(['naics_embed.taxonomy'], {'naics_embed': root}))
        64
    """
    sources = imported_files(modules, packages, skipped)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f'{name}\0{_digest(sources[name].read_bytes())}\n'.encode())
    return digest.hexdigest()


def imported_files(
    modules: Iterable[str], packages: Mapping[str, Path], skipped: Iterable[str] = ()
) -> dict[str, Path]:
    """Return dotted name → file of modules and of all that they import, as `source_fingerprint`.

    Raises:
        ArtifactError: a module does not exist.
    """
    left_out = set(skipped)
    files: dict[str, Path] = {}
    waiting = []
    for name in modules:
        if _find(name, packages) is None:
            raise ArtifactError(f'there is no module {name} to fingerprint')
        waiting.append(name)
    while waiting:
        name = waiting.pop()
        file = None if name in files or name in left_out else _find(name, packages)
        if file is not None:
            files[name] = file
            waiting.extend(_imports(file.read_bytes()))
    return files


def _find(name: str, packages: Mapping[str, Path]) -> Path | None:
    package, *inner = name.split('.')
    if package not in packages:
        return None
    base = packages[package].joinpath(*inner)
    files = (base.with_suffix('.py'), base / '__init__.py') if inner else (base / '__init__.py',)
    return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True)
class _Source:
    imports: tuple[str, ...]
    digest: str


@cache
def _read(source: bytes) -> _Source:
    tree = ast.parse(source)
    digest = hashlib.sha256()
    _feed(tree, digest.update)
    return _Source(tuple(sorted(_imported(tree))), digest.hexdigest())


def _imports(source: bytes) -> tuple[str, ...]:
    return _read(source).imports


def _digest(source: bytes) -> str:
    return _read(source).digest


def _imported(node: ast.AST) -> set[str]:
    """Return the names that a tree imports anywhere but for the type checker alone."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        if not node.module:
            return set()
        return {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    inner = node.orelse if _for_type_checkers(node) else ast.iter_child_nodes(node)
    return set().union(*(_imported(child) for child in inner))


def _for_type_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == 'TYPE_CHECKING'
    )


def _feed(node: object, update: Callable[[bytes], None], *, silent: bool = False) -> None:
    """Feed a canonical form of a tree to a hash; ``silent`` leaves the texts in it out.

    Empty fields are left out: which of them a node has depends on the version of Python.
    """
    if isinstance(node, list):
        update(b'[')
        for one in node:
            _feed(one, update, silent=silent)
        update(b']')
        return
    if not isinstance(node, ast.AST):
        update(repr(node).encode())
        return
    if silent and _is_text(node):
        update(b'text;')
        return
    update(b'(' + type(node).__name__.encode())
    for name, value in ast.iter_fields(node):
        if (value is None and not isinstance(node, ast.Constant)) or value == []:
            continue
        if name in ('kind', 'type_comment', 'ctx'):
            continue
        if name == 'body' and isinstance(value, list) and _has_docstring(node):
            value = value[1:]
        if isinstance(node, ast.Assert) and name == 'msg':
            continue
        update(b' ' + name.encode() + b'=')
        within = isinstance(node, ast.Raise) or (_is_log(node) and name == 'args')
        _feed(value, update, silent=silent or within)
    update(b')')


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _has_docstring(node: ast.AST) -> bool:
    holder = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, holder) and ast.get_docstring(node, clean=False) is not None


def _is_log(node: ast.AST) -> bool:
    """Whether a node calls a logger's method, such as ``log.info``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr in LOG_METHODS or node.func.attr == 'warn')
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    )
