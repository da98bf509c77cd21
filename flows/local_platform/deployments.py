"""Automations and deployments, brought up to date on a running server."""

import os
import subprocess
import sys

import yaml

from flows.runtime import CHECKOUT
from naics_embed.errors import UserError

FOLDER = CHECKOUT / 'deployments'


def make_automations() -> None:
    """Make the automations of ``deployments/automations.yaml``; replace those that differ.

    One that is as it should be is left alone: an update would make Prefect forget which runs the
    automation is waiting for, and these would stay Running for ever.
    """
    from prefect.automations import AutomationCore
    from prefect.client.orchestration import get_client

    content = yaml.safe_load((FOLDER / 'automations.yaml').read_text(encoding='utf-8'))
    with get_client(sync_client=True) as client:
        for values in content:
            automation = AutomationCore.model_validate(values)
            existing = client.read_automations_by_name(automation.name)
            if not existing:
                client.create_automation(automation)
            elif AutomationCore.model_validate(existing[0].model_dump(), extra='ignore') != (
                automation
            ):
                client.update_automation(existing[0].id, automation)


def deploy() -> None:
    """Deploy all of ``deployments/prefect.yaml`` from this checkout.

    Raises:
        UserError: Prefect refuses it.
    """
    command = [sys.executable, '-m', 'prefect', '--no-prompt', 'deploy', '--all']
    done = subprocess.run(
        [*command, '--prefect-file', str(FOLDER / 'prefect.yaml')],
        cwd=CHECKOUT,
        env={**os.environ, 'NAICS_HOME': str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f'prefect deploy failed: {done.stdout}{done.stderr}')
