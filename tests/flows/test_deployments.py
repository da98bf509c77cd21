"""The files under ``deployments/`` and ``docker/`` against the code that they name."""

import importlib
import json
import re
from pathlib import Path

import pytest
import yaml
from prefect.automations import AutomationCore

from flows.local_platform.environment import HEARTBEAT_S
from flows.local_platform.pools import job_template
from naics_embed.config.load import load_config
from naics_embed.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
FILE = yaml.safe_load((ROOT / 'deployments' / 'prefect.yaml').read_text())


def flow_of(deployment):
    module, name = deployment['entrypoint'].removesuffix('.py').split('.py:')
    return getattr(importlib.import_module(module.replace('/', '.')), name)


NAMED = {f'{flow_of(entry).name}/{entry["name"]}': entry for entry in FILE['deployments']}


def test_every_deployment_has_a_name_of_its_own():
    assert len(NAMED) == len(FILE['deployments'])
    assert {
        'pipeline/cpu',
        'pipeline/gpu',
        'data/build',
        'text-training/cpu',
        'text-training/gpu',
    } <= set(NAMED)
    assert {
        'refine/cpu',
        'evaluate/cpu',
        'sweep/cpu',
        'code-batch/cpu',
        'learn/cpu',
        'monitor/cpu',
    } <= set(NAMED)


@pytest.mark.parametrize('name', NAMED)
def test_a_deployment_fits_its_flow(name):
    entry, flow = NAMED[name], flow_of(NAMED[name])
    asked = dict.fromkeys(flow.parameters.required, 'given at the start')
    flow.validate_parameters(asked | entry['parameters'])
    assert all('description' in field for field in flow.parameters.properties.values()), (
        'the form in the UI says what each parameter is'
    )
    assert all(not schedule['active'] for schedule in entry['schedules'])
    config = load_config(
        ROOT / 'configs', entry['parameters']['profile'], entry['parameters'].get('overrides', ())
    ).config
    for target in config.platform.routes.values():
        assert NAMED[target]['work_pool']['name'] == 'gpu'


def test_heartbeats_are_more_frequent_than_the_automation_expects():
    (values,) = yaml.safe_load((ROOT / 'deployments' / 'automations.yaml').read_text())
    automation = AutomationCore.model_validate(values)
    pools = yaml.safe_load((ROOT / 'deployments' / 'pools.yaml').read_text())
    every = int(pools['job']['env']['PREFECT_FLOWS_HEARTBEAT_FREQUENCY'])
    assert every == HEARTBEAT_S
    assert 2 * every < automation.trigger.within.total_seconds()
    assert not any('job_variables' in entry['work_pool'] for entry in NAMED.values())


def test_sweeps_leave_slots_for_their_cells():
    pools = yaml.safe_load((ROOT / 'deployments' / 'pools.yaml').read_text())
    assert NAMED['sweep/cpu']['concurrency_limit'] < pools['cpu']['concurrency_limit']


@pytest.mark.parametrize('kind', ['process', 'docker', 'kubernetes'])
def test_a_run_chooses_neither_program_nor_environment(kind):
    content = yaml.safe_load((ROOT / 'deployments' / 'pools.yaml').read_text())
    assert content['gpu']['concurrency_limit'] == 1
    for pool in ('cpu', 'gpu'):
        own = content['types'][kind].get(pool, {})
        template = job_template(kind, content['job']['variables'], {'env': {'A': 'b'}, **own})
        schema = template['variables']
        assert set(schema['properties']) == {'name', 'labels', 'stream_output'}
        assert schema['additionalProperties'] is False
        left = set(re.findall(r'{{ *([a-z_]+) *}}', json.dumps(template['job_configuration'])))
        assert left == {'name', 'labels', 'stream_output'}, 'what a run may set'
        assert template['job_configuration']['env'] == {'A': 'b'}
        assert 'command' not in template['job_configuration']
        text = json.dumps(template['job_configuration'])
        assert all(json.dumps(value) in text for value in own.values())
    with pytest.raises(UserError, match=f"a {kind} pool has no variable 'imgae'"):
        job_template(kind, [], {'imgae': 'x'})


def test_no_port_of_the_containers_leaves_this_machine_and_no_password_has_a_default():
    text = (ROOT / 'docker' / 'compose.yaml').read_text()
    services = yaml.safe_load(text)['services']
    ports = [port for service in services.values() for port in service.get('ports', ())]
    assert ports
    assert all(port.startswith('127.0.0.1:') for port in ports)
    assert '${POSTGRES_PASSWORD:-' not in text
    assert text.count('${POSTGRES_PASSWORD:?') == text.count('${POSTGRES_PASSWORD') == 3
