"""The configuration of a flow, with what the environment of this host adds to it.

The environment of a host is its own: an artifact root or an address that comes from there is not
passed on to another one.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flows.runtime import CHECKOUT
from naics_embed.bundle.promotion import ROOT_VARIABLE, under_home
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.config.validation import no_secret
from naics_embed.sqlite_address import sqlite_address
from tasks.engine.tracking import URI_VARIABLE

ROOT = 'runtime.root'
SECTION = ROOT.partition('.')[0]
OVERRIDE = 'override'


def configured(folder: Path | str | None, profile: str, overrides: Sequence[str] | None) -> Config:
    """Load a configuration; ``NAICS_EMBED_HOME`` moves an artifact root that the files name.

    An override of ``runtime.root`` is used unchanged.

    Args:
        folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
        profile: a file in its ``profiles``.
        overrides: dotted assignments.

    Raises:
        ConfigError: see `naics_embed.config.load.load_config`.
    """
    folder = Path(folder) if folder else CHECKOUT / 'configs'
    loaded = load_config(folder, profile, overrides or ())
    if loaded.origins[ROOT] == OVERRIDE:
        return loaded.config
    runtime = loaded.config.runtime
    return replace(loaded.config, runtime=replace(runtime, root=under_home(runtime.root)))


def artifact_root(config: Config) -> Path:
    """Return the absolute artifact root of a configuration."""
    return Path(config.runtime.root).expanduser().resolve()


def tracking_uri(config: Config, root: Path) -> str:
    """Return the configured tracking URI, else the environment's, else a file under the root.

    Raises:
        ConfigError: the environment's has a user, a password or a token in it.
    """
    given = os.environ.get(URI_VARIABLE)
    if config.tracking.uri:
        return config.tracking.uri
    if given:
        no_secret(URI_VARIABLE, given, 'the environment')
        return given
    return sqlite_address(root / 'mlflow.db')


def same_tracker(config: Config, root: Path) -> tuple[str, ...]:
    """Return the override by which another flow run logs where this one does.

    None is needed where the address is the environment's: whoever runs it has one of its own.
    """
    if not config.tracking.uri and os.environ.get(URI_VARIABLE):
        return ()
    return (f'tracking.uri={json.dumps(tracking_uri(config, root))}',)


def for_another_host(
    overrides: Sequence[str] | None, config: Config, root: Path
) -> tuple[str, ...]:
    """Return overrides for a flow run on another host that is to compute a stage of this one.

    Hosts without a remote cache have one artifact root, so that also the default database in it is
    that
    of both. Where ``NAICS_EMBED_HOME`` names it, the other host's own names it there, which may be
    another path to the same storage; else both reach it under one path. With a remote cache each
    has a root of its own, which no other one reaches.
    """
    given = tuple(overrides or ())
    if config.platform.remote_cache is None and not _from_home(given):
        return (*given, f'{ROOT}={json.dumps(str(root))}', *same_tracker(config, root))
    kept = tuple(one for one in given if one.partition('=')[0].strip() != ROOT)
    return (*kept, *same_tracker(config, root)) if config.tracking.uri else kept


def _from_home(overrides: Sequence[str]) -> bool:
    """Whether the environment says where the artifact root lies, and no override does."""
    named = any(one.partition('=')[0].strip() in (ROOT, SECTION) for one in overrides)
    return bool(os.environ.get(ROOT_VARIABLE)) and not named
