"""Loading of the configuration: base file, profile, dotted overrides, checked against the schema.

Later layers win. The origin of every value is kept, so that ``naics-embed config`` can say where
it came from.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from naics_embed.config.objective import ObjectiveConfig
from naics_embed.config.schema import Config
from naics_embed.config.sections import default_values, flat, key_types, known_keys, make_section
from naics_embed.config.validation import no_secret
from naics_embed.errors import ConfigError
from naics_embed.objective.registry import TERMS

BASE_FILE = 'base.yaml'
PROFILE_FOLDER = 'profiles'
DEFAULT = 'default'
"""Origin of a value that stands in the code: that a term is off."""
KEY = re.compile(r'[A-Za-z0-9_.-]+')
RENAMED = {
    'platform.text_training': 'platform.routes={text_training: FLOW/DEPLOYMENT}',
    'platform.share': 'platform.remote_cache',
    'objective.stress': 'objective.stress.weight',
    'objective.placement': 'objective.placement.weight',
    **{
        f'objective.near_{key}': f'objective.stress.near_{key}'
        for key in ('distance', 'pairs', 'weight')
    },
    **{
        f'objective.{term}_schedule.{key}': f'objective.{term}.{key}'
        for term in ('stress', 'placement')
        for key in ('start', 'end', 'ramp', 'fade')
    },
    'graph.smoothing_shares': 'graph.smoothing_fractions',
    'report.ceiling_share': 'report.ceiling_fraction',
    'training.health.bound_share': 'training.health.bound_fraction',
    **{
        f'training.warm.{key}': f'training.head_only.{key}'
        for key in (
            'epochs',
            'least_steps',
            'only_below',
            'batch',
            'lr_head',
            'lr_table',
            'lr_temperature',
            'patience',
            'embedding_dropout',
            'embedding_noise',
            'distillation',
            'validate_every',
        )
    },
}
"""Keys of earlier versions and their names in this one."""


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration and where each of its values came from.

    Attributes:
        config: the checked configuration.
        origins: dotted key to the layer that set it (``base.yaml``, a profile, ``override``).
        profile: name of the profile.
    """

    config: Config
    origins: dict[str, str]
    profile: str | None


def load_config(
    folder: Path, profile: str | None = None, overrides: Sequence[str] = ()
) -> LoadedConfig:
    """Load ``base.yaml``, then a profile, then ``key=value`` overrides.

    Args:
        folder: directory with ``base.yaml`` and ``profiles/``.
        profile: name of a file in ``profiles/``, without its ending.
        overrides: dotted assignments such as ``training.epochs=3``; values are read as YAML.

    Raises:
        ConfigError: a file, profile or key does not exist (the message names the nearest one), a
            value has the wrong type or is out of range, a term is changed that cannot act, or an
            address has a user, a password or a token in it.
    """
    layers: list[tuple[str, dict[str, Any]]] = [(BASE_FILE, _read(folder / BASE_FILE))]
    if profile is not None:
        layers.append((f'{PROFILE_FOLDER}/{profile}.yaml', _read_profile(folder, profile)))
    layers.extend(('override', _parse_override(override)) for override in overrides)

    known = known_keys(Config)
    values = default_values(ObjectiveConfig, 'objective.')
    origins = dict.fromkeys(values, DEFAULT)
    for origin, layer in layers:
        for key, value in _flatten(layer, known).items():
            if key not in known:
                raise ConfigError(_unknown_key(key, origin, known))
            values[key] = value
            origins[key] = origin
    missing = [key for key in known if key not in values]
    if missing:
        raise ConfigError(f'{folder / BASE_FILE} lacks a value for {", ".join(missing[:5])}')
    config = _build(Config, '', values, known, origins)
    _check_waiting(flat(config), _flatten(layers[0][1], known), origins, known)
    return LoadedConfig(config, origins, profile)


def _check_waiting(
    values: dict[str, Any], base: dict[str, Any], origins: dict[str, str], known: dict[str, Any]
) -> None:
    """Refuse a change to a term that does not act with the chosen model, unless it is to 0."""

    def changed(prefix: str) -> list[str]:
        return [
            key
            for key in values
            if key.startswith(prefix)
            and (key not in base or values[key] != _checked(key, base[key], known[key], BASE_FILE))
        ]

    for term in TERMS:
        section = f'objective.{term.name}'
        if term.waits_for is None or not values[f'{section}.weight']:
            continue
        key, needed = term.waits_for
        set_keys = changed(f'{section}.')
        if set_keys and values[key] != needed:
            raise ConfigError(
                f'{set_keys[0]} is set in {origins[set_keys[0]]}, but {section} acts only with '
                f'{key}={needed}, and that is {values[key]}'
            )
    near, stress = 'objective.stress.near_weight', 'objective.stress.weight'
    if values[near] and not values[stress] and changed(near):
        raise ConfigError(
            f'{near} is set in {origins[near]}, but near pairs weigh that times {stress}, '
            'which is 0'
        )


def from_dict(values: dict[str, Any]) -> Config:
    """Rebuild a configuration from `to_dict`.

    Raises:
        ConfigError: a key is unknown or missing, a value is of the wrong type or out of range, or
            an address has a user, a password or a token in it.
    """
    known = known_keys(Config)
    leaves = {**default_values(ObjectiveConfig, 'objective.'), **_flatten(values, known)}
    unknown = [key for key in leaves if key not in known]
    if unknown:
        raise ConfigError(_unknown_key(unknown[0], 'the given values', known))
    missing = [key for key in known if key not in leaves]
    if missing:
        raise ConfigError(f'the given values lack {", ".join(missing[:5])}')
    return _build(Config, '', leaves, known, dict.fromkeys(leaves, 'the given values'))


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys; a section that stands twice would lose one half."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key {key.value!r} stands twice', key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(
            f'{path} does not exist; run from a checkout, or name the folder with --config-folder'
        )
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), _UniqueKeys) or {}
    except yaml.YAMLError as error:
        # Without its cause: a traceback would show the line at fault, an address in it too.
        raise ConfigError(f'{path} is not valid YAML: {error}') from None
    if not isinstance(content, dict):
        raise ConfigError(f'{path} must hold a mapping of sections')
    return content


def _read_profile(folder: Path, profile: str) -> dict[str, Any]:
    path = folder / PROFILE_FOLDER / f'{profile}.yaml'
    if Path(profile).name != profile or not path.is_file():
        there = sorted(p.stem for p in (folder / PROFILE_FOLDER).glob('*.yaml'))
        raise ConfigError(f'there is no profile {profile!r}; profiles: {", ".join(there)}')
    return _read(path)


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, value = override.partition('=')
    key = key.strip()
    if not separator or KEY.fullmatch(key) is None:
        no_secret('an override', override, '')
        raise ConfigError(f'override {override!r} must have the form key=value')
    try:
        leaf = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError:
        leaf = ...
    if leaf is ...:
        # Not within the clause above: its traceback would show the value.
        no_secret(key, value, 'override')
        raise ConfigError(f'override {override!r}: the value is not valid YAML')
    nested: Any = leaf
    for part in reversed(key.split('.')):
        nested = {part: nested}
    return nested


def _flatten(layer: dict[str, Any], known: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in layer.items():
        key = f'{prefix}{name}'
        if isinstance(value, dict) and key not in known:
            leaves |= _flatten(value, known, f'{key}.')
        else:
            leaves[key] = value
    return leaves


def _unknown_key(key: str, origin: str, known: dict[str, Any]) -> str:
    if key in RENAMED:
        return f'{key} in {origin} is now {RENAMED[key]}'
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.3)
    hint = f'; did you mean {near[0]}?' if near else ''
    return f'unknown configuration key {key!r} in {origin}{hint}'


def _build(
    schema: type,
    prefix: str,
    values: dict[str, Any],
    known: dict[str, Any],
    origins: dict[str, str],
) -> Any:
    arguments: dict[str, Any] = {}
    for name, hint in key_types(schema).items():
        key = f'{prefix}{name}'
        if key in known:
            arguments[name] = _checked(key, values[key], hint, origins[key])
        else:
            arguments[name] = _build(hint, f'{key}.', values, known, origins)
    return make_section(schema, arguments)


def _checked(key: str, value: Any, hint: Any, origin: str) -> Any:
    """Let OmegaConf convert and check one value against its annotation."""
    no_secret(key, value, origin)
    is_tuple = typing.get_origin(hint) is tuple
    expected = str(hint) if isinstance(hint, types.UnionType) or is_tuple else hint.__name__
    wrong = f'{key}={value!r} in {origin} is not of type {expected}'
    if is_tuple and not isinstance(value, (list, tuple)):
        raise ConfigError(wrong)
    try:
        merged = OmegaConf.merge(_holder(hint), {'value': value})
        result = cast(Any, OmegaConf.to_object(merged)).value
    except OmegaConfBaseException as error:
        raise ConfigError(wrong) from error
    # OmegaConf may have put the value of a variable in, as ${oc.env:NAME} asks for.
    no_secret(key, result, origin)
    return tuple(result) if is_tuple else result


@cache
def _holder(hint: Any) -> type:
    """Return a dataclass with one field ``value`` of that annotation, tuples as lists."""
    is_tuple = typing.get_origin(hint) is tuple
    annotation = types.GenericAlias(list, typing.get_args(hint)[:1]) if is_tuple else hint
    return dataclasses.make_dataclass('Holder', [('value', annotation)])
