"""Sending a stage to another host: a deployment there, and storage that both hosts share."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from naics_embed.errors import RemoteRunError
from tasks.engine.declaration import Given
from tasks.engine.record import Record
from tasks.engine.stage import Run, Sender, Stage

log = logging.getLogger('naics_embed.pipeline')

POLL_S = 2.0
HERE = 'platform.routes={}'
"""What keeps the other host from sending the stage on again."""
ANY_STAGE = 'pipeline'
"""Flow that takes the stage as its target."""


@dataclass(frozen=True)
class Request:
    """What a flow on another host is asked for, beside its stage.

    Attributes:
        profile: the profile of this run.
        overrides: its overrides, with the tracking URI and a shared artifact root made explicit.
        resume: what training does about checkpoints.
        parent_run: MLflow run under which the other host's run is nested.
    """

    profile: str
    overrides: tuple[str, ...]
    resume: str
    parent_run: str


def senders(routes: Mapping[str, str], request: Request) -> dict[str, Sender]:
    """Return stage → what sends it, for `tasks.engine.stage.Run`.

    Args:
        routes: stage, as in the configuration, → deployment.
        request: what the other flow runs are asked for.
    """
    return {
        stage: partial(computed_elsewhere, deployment=name, request=request)
        for stage, name in routes.items()
    }


def computed_elsewhere(
    stage: Stage,
    run: Run,
    inputs: Mapping[str, Given],
    settings: Mapping[str, Any],
    *,
    deployment: str,
    request: Request,
) -> Record:
    """Return the record of a stage that a deployment computes into the root or remote cache of
    both.

    Nothing is sent where the stage is cached. The record is checked here like any cached one.

    Raises:
        RemoteRunError: the other flow run did not complete, or its result is not to be found here.
    """
    renewed = stage.renewed(run, inputs)
    if renewed or not stage.at_hand(run, inputs, settings):
        _send(stage, deployment, request, renewed=renewed)
        if not stage.at_hand(run, inputs, settings):
            raise RemoteRunError(
                f'{deployment} completed, but its result is not under {run.root}: the hosts must '
                'share runtime.root or platform.remote_cache, the same sources and the same '
                'version of this project; a root that is mounted under another path there is '
                'named in NAICS_EMBED_HOME on both'
            )
    if renewed and run.remote_cache is not None:
        # The other host renewed what is in the remote cache; the record of this root is the old
        # one.
        stage.forget(run, inputs, settings)
    here = replace(run, routes={}, refresh=frozenset(), renewed=set())
    record = stage(here, inputs, **settings)
    if renewed:
        run.renewed.update(artifact.path for artifact in record.files.values())
    return record


def _send(stage: Stage, deployment: str, request: Request, *, renewed: bool) -> None:
    log.info('%s: sent to %s', stage.name, deployment)
    name = stage.name
    flow_run = run_deployment(
        deployment,
        parameters={
            **({'target': name} if deployment.partition('/')[0] == ANY_STAGE else {}),
            'profile': request.profile,
            'overrides': [*request.overrides, HERE],
            'refresh': [name] if renewed else [],
            'resume': request.resume,
            'parent_run': request.parent_run,
        },
        timeout=None,
        poll_interval=POLL_S,
    )
    assert isinstance(flow_run, FlowRun)
    state = flow_run.state
    if state is None or not state.is_completed():
        ended = 'without a state' if state is None else f'{state.name}: {state.message}'
        raise RemoteRunError(f'{deployment}, flow run {flow_run.name} ({flow_run.id}), {ended}')
