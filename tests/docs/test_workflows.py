"""The workflows are pinned, may do little, and run what the Makefile has."""

import re

import pytest
import yaml

from tests.docs.documents import ROOT

WORKFLOWS = sorted((ROOT / '.github' / 'workflows').glob('*.yaml'))


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_pinned_and_limited(path):
    text = path.read_text(encoding='utf-8')
    content = yaml.safe_load(text)
    assert content['permissions'] == {'contents': 'read'}
    assert content['concurrency']['group']
    uses = re.findall(r'uses: (\S+)', text)
    assert uses
    for action in uses:
        assert re.fullmatch(r'[\w-]+/[\w-]+@[0-9a-f]{40}', action), action
    for job in content['jobs'].values():
        assert job['timeout-minutes'] <= 90
        assert set(job.get('permissions', {})) <= {'pages', 'id-token'}


def test_tests_lint_and_docs_are_run():
    text = '\n'.join(path.read_text(encoding='utf-8') for path in WORKFLOWS)
    for step in ('.ci/run', 'ruff check .', 'ruff format --check .', 'mkdocs build --strict'):
        assert step in text
    assert 'deploy-pages' in text


def test_issue_templates_are_forms():
    for path in (ROOT / '.github' / 'ISSUE_TEMPLATE').glob('*.yaml'):
        form = yaml.safe_load(path.read_text(encoding='utf-8'))
        assert {'name', 'description', 'body'} <= set(form)
        assert len(form['body']) <= 3
