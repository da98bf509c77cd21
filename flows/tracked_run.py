"""The MLflow run of a flow: where it is logged, and what every run says of itself."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from prefect.runtime import flow_run

from flows.configuration import artifact_root, tracking_uri
from flows.runtime import CHECKOUT
from naics_embed import __version__
from naics_embed.config.schema import Config
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.tracking import FLOW_RUN, NO_FLOW_RUN, Tracker, git_revision, pipeline_run


def tracked_run(
    config: Config,
    profile: str,
    params: Mapping[str, Any],
    *,
    name: str,
    parent: str | None = None,
) -> AbstractContextManager[Tracker]:
    """Make the artifact root, and return the run of a flow; see `pipeline_run`.

    Args:
        config: names the root, the tracking server and the experiment.
        profile: that the configuration is of.
        params: parameters of the run.
        name: name of the run.
        parent: run that this one is nested under.
    """
    root = artifact_root(config)
    root.mkdir(parents=True, exist_ok=True)
    tags = {
        'profile': profile,
        'library_version': __version__,
        'git_revision': git_revision(CHECKOUT),
        FLOW_RUN: str(flow_run.id or NO_FLOW_RUN),
    }
    return pipeline_run(
        tracking_uri(config, root),
        config.tracking.experiment,
        root / 'mlartifacts',
        tags,
        params,
        name=name,
        parent=parent,
    )


def remote_cache(config: Config) -> RemoteCache | None:
    """Return the remote cache that a configuration names."""
    address = config.platform.remote_cache
    return None if address is None else RemoteCache.at(address)
