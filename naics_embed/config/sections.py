"""The keys of a section of the configuration; ``objective`` has one for each registered term."""

import dataclasses
import typing
from typing import Any

from naics_embed.config.objective import ObjectiveConfig
from naics_embed.objective.registry import TERMS


def key_types(schema: type) -> dict[str, Any]:
    """Return name → annotation of the keys of a section."""
    hints = {
        name: hint
        for name, hint in typing.get_type_hints(schema).items()
        if typing.get_origin(hint) is not typing.ClassVar
    }
    if schema is ObjectiveConfig:
        del hints['terms']
        hints |= {term.name: term for term in TERMS}
    return hints


def known_keys(schema: type, prefix: str = '') -> dict[str, Any]:
    """Return dotted key → annotation of all values of a section."""
    keys: dict[str, Any] = {}
    for name, hint in key_types(schema).items():
        if dataclasses.is_dataclass(hint):
            keys |= known_keys(typing.cast(type, hint), f'{prefix}{name}.')
        else:
            keys[f'{prefix}{name}'] = hint
    return keys


def default_values(schema: type, prefix: str = '') -> dict[str, Any]:
    """Return dotted key → value of the terms' settings that need not be given."""
    if schema is not ObjectiveConfig:
        return {}
    return {
        f'{prefix}{term.name}.{field.name}': field.default
        for term in TERMS
        for field in dataclasses.fields(term)
        if field.default is not dataclasses.MISSING
    }


def make_section(schema: type, values: dict[str, Any]) -> Any:
    """Return a section with its values and the sections in it, by name."""
    if schema is ObjectiveConfig:
        terms = {term.name: values.pop(term.name) for term in TERMS}
        return ObjectiveConfig(**values, terms=terms)
    return schema(**values)


def _keys(section: Any) -> dict[str, Any]:
    """Return name → value or inner section."""
    names = [field.name for field in dataclasses.fields(section)]
    if not isinstance(section, ObjectiveConfig):
        return {name: getattr(section, name) for name in names}
    return {n: getattr(section, n) for n in names if n != 'terms'} | dict(section.terms)


def to_dict(section: Any) -> dict[str, Any]:
    """Return a section of the configuration as plain nested dictionaries, tuples as lists."""
    result: dict[str, Any] = {}
    for name, value in _keys(section).items():
        if dataclasses.is_dataclass(value):
            result[name] = to_dict(value)
        else:
            result[name] = list(value) if isinstance(value, tuple) else value
    return result


def flat(section: Any) -> dict[str, Any]:
    """Return a section as one dictionary with dotted keys, tuples as lists."""
    result: dict[str, Any] = {}
    for name, value in _keys(section).items():
        if dataclasses.is_dataclass(value):
            result |= {f'{name}.{inner}': leaf for inner, leaf in flat(value).items()}
        else:
            result[name] = list(value) if isinstance(value, tuple) else value
    return result
