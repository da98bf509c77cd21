"""How a stage declares what it reads, what it writes, and its settings."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from naics_embed.artifacts import Artifact
from naics_embed.config.schema import Config
from naics_embed.config.sections import key_types, to_dict


@dataclass(frozen=True)
class Fact:
    """A JSON value that a stage returned beside its files, or that the flow gives.

    Attributes:
        value: the value.
        of: path of an output of the stage that returned it; empty where no stage did.
    """

    value: Any
    of: str = ''


Given = Artifact | Mapping[str, Artifact] | Fact | None
"""What a stage reads under one name: a file, several files, a fact, or nothing."""


class DeclarationError(TypeError):
    """A stage, or a graph of stages, was declared wrongly; it says which and how."""


@dataclass(frozen=True)
class Declaration:
    """What a stage reads, writes and is set to, by name.

    Attributes:
        name: its name in the configuration, in Prefect, in MLflow and on disk.
        body: a function of a folder and a context. Each name that the stage reads and each of its
            settings is a keyword argument of it.
        reads: names of what it reads: files and facts of other stages, or what the flow gives.
        writes: names of the files that it writes.
        facts: names of the facts that it returns for other stages.
        settings: name of an argument → dotted key of the configuration that fills it, as a mapping
            or as ``'seed=runtime.seed dim=model.dim'``.
        constants: further settings that no key of the configuration holds.
        resources: files of the packages, such as templates, that take part in the key.
    """

    name: str
    body: Callable[..., Any]
    reads: tuple[str, ...] | str = ()
    writes: tuple[str, ...] | str = ()
    facts: tuple[str, ...] | str = ()
    settings: Mapping[str, str] | str = ''
    constants: Mapping[str, Any] = field(default_factory=dict)
    resources: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for attribute in ('reads', 'writes', 'facts'):
            names = getattr(self, attribute)
            names = tuple(names.split()) if isinstance(names, str) else tuple(names)
            object.__setattr__(self, attribute, names)
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise DeclarationError(f'stage {self.name} {attribute} {repeated[0]} twice')
        if isinstance(self.settings, str):
            pairs = (pair.partition('=') for pair in self.settings.split())
            object.__setattr__(self, 'settings', {name: key for name, _, key in pairs})
        assert isinstance(self.settings, Mapping)
        for name, setting in self.settings.items():
            if not _is_key(setting):
                raise DeclarationError(
                    f'stage {self.name}: its setting {name} names {setting}, which is no key of '
                    'the configuration'
                )
        self._check_arguments()

    def _check_arguments(self) -> None:
        twice = sorted(set(self.writes) & set(self.facts))
        if twice:
            raise DeclarationError(f'stage {self.name}: {twice[0]} is both a file and a fact')
        both = sorted(set(self.reads) & {*self.settings, *self.constants})
        if both:
            raise DeclarationError(f'stage {self.name}: {both[0]} is both read and a setting')
        parameters = list(inspect.signature(self.body).parameters.values())[2:]
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)
        taken = {one.name: one for one in parameters if one.kind is one.KEYWORD_ONLY}
        given = {*self.reads, *self.settings, *self.constants}
        unknown = sorted(given - set(taken))
        if unknown and not takes_all:
            raise DeclarationError(
                f'stage {self.name}: {self.body.__name__}() takes no argument {unknown[0]!r}'
            )
        missing = [
            name for name, one in taken.items() if one.default is one.empty and name not in given
        ]
        if missing and not takes_all:
            raise DeclarationError(
                f'stage {self.name}: {self.body.__name__}() needs {missing[0]!r}, which the stage '
                'neither reads nor has as a setting'
            )

    def configured(self, config: Config) -> dict[str, Any]:
        """Return the values of the settings."""
        assert isinstance(self.settings, Mapping)
        values = {n: reduce(getattr, key.split('.'), config) for n, key in self.settings.items()}
        return {**values, **self.constants}

    def check_result(self, files: tuple[str, ...], facts: Mapping[str, Any]) -> None:
        """Raise DeclarationError where a body wrote or returned something else."""
        if set(files) != set(self.writes):
            raise DeclarationError(
                f'stage {self.name} declares that it writes {", ".join(self.writes) or "nothing"} '
                f'and wrote {", ".join(files) or "nothing"}'
            )
        missing = [name for name in self.facts if name not in facts]
        if missing:
            raise DeclarationError(f'stage {self.name} returned no fact {missing[0]!r}')


def _is_key(path: str) -> bool:
    """Whether the configuration has a dotted key."""
    section: Any = Config
    for part in path.split('.'):
        fields = key_types(section) if _is_section(section) else {}
        if part not in fields and not isinstance(getattr(section, part, None), property):
            return False
        section = fields.get(part)
    return True


def artifacts_of(inputs: Mapping[str, Given]) -> Iterator[tuple[str, Artifact]]:
    """Yield the files among the inputs, each with the name that an error gives it."""
    for name, given in inputs.items():
        if isinstance(given, Artifact):
            yield name, given
        elif isinstance(given, Mapping):
            yield from ((f'{name}.{inner}', artifact) for inner, artifact in given.items())


def origins_of(inputs: Mapping[str, Given]) -> set[str]:
    """Return paths of outputs by which the stages are known that the inputs come from."""
    facts = {given.of for given in inputs.values() if isinstance(given, Fact)}
    return facts | {artifact.path for _, artifact in artifacts_of(inputs)}


def content_of(given: Given) -> Any:
    """Return what of an input takes part in a key."""
    if isinstance(given, Artifact):
        return given.sha256
    if isinstance(given, Fact):
        return {'fact': plain(given.value)}
    if isinstance(given, Mapping):
        return {name: artifact.sha256 for name, artifact in given.items()}
    return None


def plain(value: Any) -> Any:
    """Return a setting as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return value


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)
