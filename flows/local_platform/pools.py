"""Work pools: what a run may choose about the process or container that it gets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flows.runtime import CHECKOUT
from naics_embed.errors import UserError

POOLS_FILE = CHECKOUT / 'deployments' / 'pools.yaml'
POOLS = ('cpu', 'gpu')


def make_pools(kind: str) -> None:
    """Make the pools of ``deployments/pools.yaml``; existing ones are brought up to date.

    Raises:
        UserError: there is no such type of pool.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    content = yaml.safe_load(POOLS_FILE.read_text(encoding='utf-8'))
    types, job = content['types'], content['job']
    if kind not in types:
        raise UserError(f'there is no pool type {kind!r}; choose from {", ".join(types)}')
    with get_client(sync_client=True) as client:
        for name in POOLS:
            fixed = {'env': job['env'], **types[kind].get(name, {})}
            template = job_template(kind, job['variables'], fixed)
            client.create_work_pool(
                WorkPoolCreate(name=name, type=kind, base_job_template=template, **content[name]),
                overwrite=True,
            )


def job_template(kind: str, variables: list[str], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return Prefect's job template of a pool type, of which a run may set few variables.

    Prefect's own template lets whoever starts a run choose its command, its environment and its
    working directory. Here all but ``variables`` have the values of the pool, and Prefect refuses
    a run that names another one.

    Args:
        kind: type of the pool.
        variables: those that stay open.
        fixed: values of others; those that are not named keep Prefect's default.

    Raises:
        UserError: a name is no variable of the template.
    """
    import prefect.server.api.collections_data as collections

    views = Path(next(iter(collections.__path__))) / 'views' / 'aggregate-worker-metadata.json'
    groups = json.loads(views.read_text(encoding='utf-8'))
    workers = {name: entry for group in groups.values() for name, entry in group.items()}
    template = workers[kind]['default_base_job_configuration']
    known = template['variables']['properties']
    for name in (*variables, *fixed):
        if name not in known:
            raise UserError(f'pools.yaml: a {kind} pool has no variable {name!r}')
    closed = {
        name: fixed.get(name, entry.get('default'))
        for name, entry in known.items()
        if name not in variables
    }
    return {
        'job_configuration': _filled(template['job_configuration'], closed),
        'variables': {
            'type': 'object',
            'additionalProperties': False,
            'properties': {name: known[name] for name in variables},
        },
    }


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its placeholders replaced by values; None removes the entry."""
    if isinstance(template, dict):
        filled = {name: _filled(inner, values) for name, inner in template.items()}
        return {name: inner for name, inner in filled.items() if inner is not None}
    if isinstance(template, list):
        return [_filled(inner, values) for inner in template]
    if isinstance(template, str) and template.startswith('{{') and template.endswith('}}'):
        name = template[2:-2].strip()
        return values.get(name, template)
    return template
