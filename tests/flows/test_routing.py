"""A stage that another host computes: what is asked of it, and what is believed afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Crashed

from flows import routing
from flows.pipeline import pipeline
from flows.routing import HERE, Request, senders
from flows.runtime import CHECKOUT
from naics_embed.artifacts import Artifact
from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError, RemoteRunError
from tasks.engine.remote_cache import RemoteCache
from tasks.engine.stage import Result, Run, Stage
from tasks.engine.tracking import pipeline_run


class Hosts:
    """Two artifact roots that share only a folder; the GPU host computes when it is asked."""

    def __init__(self, folder: Path, uri: str, monkeypatch) -> None:
        self.folder = folder
        self.uri = uri
        self.source = folder / 'source.txt'
        self.source.write_text('grain')
        self.stage = Stage('letters', self.body, 'source', 'letters')
        self.computed: list[str] = []
        self.asked: list[dict] = []
        self.remote_cache: str | None = f'file://{folder}/common'
        self.state = Completed()
        self.works = True
        self.deployment = 'letters/gpu'
        monkeypatch.setattr(routing, 'run_deployment', self.run_deployment)

    def body(self, out, context, *, source) -> Result:
        self.computed.append(context.run.root.name)
        (out / 'letters.txt').write_text(f'{len(self.computed)}')
        return Result({'letters': 'letters.txt'})

    def on(self, host: str, *refresh: str, elsewhere: bool = False):
        """Run the stage on a host: there, or sent to the other one."""

        @flow(name='host')
        def run_here():
            root = self.folder / host
            with pipeline_run(self.uri, 'routing', root / 'mlartifacts', {}, {}) as tracker:
                remote_cache = RemoteCache.at(self.remote_cache) if self.remote_cache else None
                run = Run(root, tracker, frozenset(refresh), remote_cache=remote_cache)
                inputs = {'source': Artifact.of(self.source)}
                request = Request('gpu', ('a=1',), 'auto', tracker.parent_run_id)
                routes = senders({'letters': self.deployment} if elsewhere else {}, request)
                return self.stage(replace(run, routes=routes), inputs)

        return run_here()

    def run_deployment(self, name, *, parameters, **_options):
        self.asked.append(parameters)
        if self.works:
            self.on('gpu-host', *parameters['refresh'])
        return FlowRun(flow_id='00000000-0000-0000-0000-000000000000', state=self.state)


@pytest.fixture
def hosts(tmp_path, mlflow_uri, prefect_server, monkeypatch):
    return Hosts(tmp_path, mlflow_uri, monkeypatch)


@pytest.mark.slow
def test_the_other_host_computes_and_a_refresh_is_not_answered_from_what_lies_here(hosts):
    record = hosts.on('here', elsewhere=True)
    assert hosts.computed == ['gpu-host']
    assert record.path('letters').is_relative_to(hosts.folder / 'here')
    assert record.cached, 'as in MLflow: another run computed it'
    assert hosts.asked[0]['overrides'] == ['a=1', HERE]
    assert 'target' not in hosts.asked[0]
    assert hosts.on('here', elsewhere=True) == record
    assert len(hosts.asked) == 1, 'nothing is sent where the stage is cached'

    renewed = hosts.on('here', 'letters', elsewhere=True)
    assert hosts.asked[1]['refresh'] == ['letters']
    assert hosts.computed == ['gpu-host'] * 2
    assert renewed.run_id != record.run_id
    assert renewed.path('letters').read_text() == '2'


@pytest.mark.slow
def test_a_host_that_shares_nothing_and_one_that_failed_are_told(hosts):
    hosts.remote_cache = None
    with pytest.raises(RemoteRunError, match=r'must share runtime\.root or platform\.remote'):
        hosts.on('here', elsewhere=True)
    hosts.works, hosts.state = False, Crashed(message='no heartbeat')
    with pytest.raises(RemoteRunError, match=r'letters/gpu, flow run .* Crashed: no heartb'):
        hosts.on('here', elsewhere=True)
    assert hosts.computed == ['gpu-host']


@pytest.mark.slow
def test_a_deployment_of_the_pipeline_is_told_which_stage(hosts):
    hosts.deployment = 'pipeline/on-gpu'
    hosts.on('here', elsewhere=True)
    assert hosts.computed == ['gpu-host']
    assert hosts.asked[0]['target'] == 'letters'


@pytest.mark.parametrize(
    'routes,message',
    [
        ('{text_training: training}', r'platform\.routes\.text_training must be'),
        ('{refinement: text-training/gpu}', r'pipeline/DEPLOYMENT or refinement/DEPLOYMENT'),
        ('{refinement: pipeline/a/b}', r'platform\.routes\.refinement must be'),
        ('text-training/gpu', r'platform\.routes='),
    ],
)
def test_a_route_names_a_deployment_that_computes_the_stage(routes, message):
    with pytest.raises(ConfigError, match=message):
        load_config(CHECKOUT / 'configs', 'cpu', [f'platform.routes={routes}'])


def test_the_earlier_setting_names_the_present_one():
    with pytest.raises(ConfigError, match=r'is now platform\.routes={text_training: FLOW/DEP'):
        load_config(CHECKOUT / 'configs', 'cpu', ['platform.text_training=text-training/gpu'])


def test_a_route_of_no_stage_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"platform\.routes: no stage 'training'"):
        pipeline.fn('smoke', ['platform.routes={training: pipeline/on-gpu}'])
