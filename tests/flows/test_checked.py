"""A flow with a secret in its parameters is refused before Prefect stores it, here and there."""

import traceback

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.utilities.callables import parameter_schema_from_entrypoint
from prefect.utilities.schema_tools.validation import is_valid

from flows.checked import CheckedFlow, Text, Value, checked_flow
from flows.code_batch import code_batch
from flows.controls import controls
from flows.learn import learn
from flows.pipeline import pipeline
from flows.runtime import CHECKOUT
from flows.stages import data, evaluate, refine, text_training
from flows.sweep import sweep
from naics_embed.errors import ConfigError

PLANTED = 'Pl4nted-in-a-parameter'
ADDRESS = f'http://someone:{PLANTED}@host:5000'
FLOWS = [pipeline, data, text_training, refine, evaluate, controls, sweep, code_batch, learn]
REQUIRED = {'source': 'in', 'out': 'out', 'text_column': 'text', 'sources': []}


def required(of: CheckedFlow) -> dict[str, object]:
    return {name: REQUIRED[name] for name in of.parameters.required}


@pytest.mark.parametrize('checked', FLOWS, ids=lambda each: each.name)
def test_every_flow_refuses_a_secret_in_an_override(checked):
    with pytest.raises(ConfigError, match=r'^tracking\.uri has a user.*_USERNAME') as caught:
        checked(**required(checked), overrides=['model.dim=8', f'tracking.uri={ADDRESS}'])
    assert PLANTED not in ''.join(traceback.format_exception(caught.value))


def test_other_parameters_are_looked_at_too():
    for parameters in (
        {'grid': {'tracking.uri': [ADDRESS]}},
        {'listed': [['model.dim=8', f'tracking.uri={ADDRESS}']]},
    ):
        with pytest.raises(ConfigError, match=r'^tracking\.uri has a user'):
            sweep(**parameters)
    with pytest.raises(ConfigError, match=r'^out has a user'):
        code_batch('in', f's3://key:{PLANTED}@bucket/out', 'text')


@pytest.mark.parametrize('checked', FLOWS, ids=lambda each: each.name)
def test_the_schema_of_a_deployment_refuses_it(checked):
    module = checked.fn.__module__.replace('.', '/')
    schema = parameter_schema_from_entrypoint(f'{CHECKOUT}/{module}.py:{checked.fn.__name__}')
    for known in (schema.model_dump_for_openapi(), checked.parameters.model_dump_for_openapi()):
        assert is_valid(
            {**required(checked), 'overrides': ['tracking.uri=http://host:5000']}, known
        )
        assert not is_valid({**required(checked), 'overrides': [f'tracking.uri={ADDRESS}']}, known)


def test_the_schema_of_a_sweep_refuses_it_in_grids_and_lists():
    schema = sweep.parameters.model_dump_for_openapi()
    assert is_valid({'grid': {'model.dim': [8, [1], None, 'a']}, 'listed': [['a.b=1']]}, schema)
    assert not is_valid({'grid': {'tracking.uri': [ADDRESS]}}, schema)
    assert not is_valid({'listed': [[f'tracking.uri={ADDRESS}']]}, schema)


@pytest.mark.slow
def test_prefect_stores_nothing_of_a_refused_run(prefect_server):
    ran = []

    @checked_flow(name='guarded')
    def guarded(overrides: list[Text] | None = None, grid: dict[str, list[Value]] | None = None):
        ran.append(overrides)

    @flow(name='around')
    def around():
        guarded(overrides=[f'tracking.uri={ADDRESS}'])

    guarded(overrides=['tracking.uri=http://host:5000'])
    with pytest.raises(ConfigError):
        around()
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(guarded)
        made = client.create_deployment(
            flow_id, 'guarded', parameter_openapi_schema=guarded.parameters.model_dump_for_openapi()
        )
        for parameters in (
            {'overrides': [f'tracking.uri={ADDRESS}']},
            {'grid': {'tracking.uri': [ADDRESS]}},
        ):
            with pytest.raises(PrefectHTTPStatusError, match='409'):
                client.create_flow_run_from_deployment(made, parameters=parameters)
        client.create_flow_run_from_deployment(made, parameters={'overrides': ['model.dim=8']})
        runs = client.read_flow_runs()
        stored = ''.join(run.model_dump_json() for run in runs)
        assert '"tracking.uri=http://host:5000"' in stored
        assert PLANTED not in stored
        assert PLANTED not in ''.join(run.model_dump_json() for run in client.read_task_runs())
        assert len([run for run in runs if run.flow_id == flow_id]) == 2
    assert ran == [['tracking.uri=http://host:5000']]
