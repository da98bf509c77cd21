"""Imports between packages go down only."""

import ast
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = 'naics_embed'
ORCHESTRATION = {'prefect', 'mlflow', 'flows', 'tasks', 'benchmarks', 'tests'}
LIGHTNING = {'lightning', 'pytorch_lightning', 'torchmetrics'}

LAYERS = {
    'redaction': 0,
    'errors': 0,
    'artifacts': 1,
    'fingerprint': 1,
    'code_spelling': 1,
    'value_checks': 1,
    'sqlite_address': 1,
    'home': 1,
    'optional': 1,
    'tabular': 2,
    'taxonomy': 1,
    'geometry': 1,
    'workbooks': 1,
    'disk': 1,
    'time_limit': 1,
    'losses': 2,
    'metrics': 2,
    'data': 2,
    'classifications': 3,
    'evidence': 3,
    'questions': 3,
    'census': 2,
    'baselines': 2,
    'supervision': 3,
    'text': 3,
    'objective': 3,
    'config': 4,
    'training': 5,
    'graph': 5,
    'evaluation': 5,
    'audit': 5,
    'bundle': 5,
    'search': 6,
    'export': 6,
    'atlas': 6,
    'report': 6,
    'learning': 6,
    'assessment': 7,
    'estimators': 7,
    'doctor': 7,
    'starter': 7,
    'review': 7,
    'monitoring': 8,
    'service': 7,
    'mcp_server': 7,
    'cli': 9,
    '__main__': 10,
}
"""A package may import itself and packages of its own layer or below."""

ROOT_PACKAGE = '__init__'
"""The root package: it may import any package, and only its version is read from inside."""


@cache
def modules(folder: str) -> dict[str, Path]:
    """Dotted name → file."""
    result = {}
    for path in sorted((ROOT / folder).rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        result['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return result


@cache
def imports(path: Path) -> set[str]:
    """Absolute names that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative imports escape these checks and fingerprints'
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


def top(name: str) -> str:
    return name.split('.')[0]


def package(module: str) -> str:
    parts = module.split('.')
    return parts[1] if len(parts) > 1 else ROOT_PACKAGE


def offenders(folder: str, forbidden: set[str]) -> list[str]:
    return [
        f'{module} imports {name}'
        for module, path in modules(folder).items()
        for name in sorted(imports(path))
        if top(name) in forbidden
    ]


def named_modules(path: Path) -> set[str]:
    """Library modules that a file imports, itself or something from them."""
    known = set(modules(LIBRARY)) - {LIBRARY}
    names = imports(path)
    return known & (names | {name.rpartition('.')[0] for name in names})


@pytest.fixture(scope='module')
def package_imports() -> dict[str, dict[str, set[str]]]:
    """Package → other package that it imports → the modules that do."""
    result: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module in modules(LIBRARY):
        source = package(module)
        if source != ROOT_PACKAGE:
            result[source]
            for other in named_modules(modules(LIBRARY)[module]):
                if package(other) != source:
                    result[source][package(other)].add(module)
    return result


def test_the_walk_sees_imports(package_imports):
    assert len(modules(LIBRARY)) > 60
    assert {'naics_embed.errors.CodeError', 'numpy', 'functools.cached_property'} <= imports(
        ROOT / 'naics_embed' / 'taxonomy.py'
    )
    assert 'geometry' in package_imports['text']


def test_the_library_is_pure():
    assert offenders(LIBRARY, ORCHESTRATION) == []


def test_tasks_do_not_import_flows():
    assert offenders('tasks', {'flows', 'benchmarks', 'tests'}) == []


def test_flows_do_not_import_tests_or_benchmarks():
    assert offenders('flows', {'benchmarks', 'tests'}) == []


def test_only_training_packages_import_lightning():
    result = {
        package(module)
        for module, path in modules(LIBRARY).items()
        if any(top(name) in LIGHTNING for name in imports(path))
    }
    assert 'training' in result
    assert result <= {'training', 'graph'}


def test_tasks_and_flows_leave_lightning_to_the_library():
    assert offenders('tasks', LIGHTNING) == []
    assert offenders('flows', LIGHTNING) == []


@pytest.mark.parametrize(
    ('name', 'allowed'),
    [
        ('redaction', set()),
        ('errors', {'redaction'}),
        ('taxonomy', {'errors', 'code_spelling'}),
        ('geometry', {'errors'}),
        ('losses', {'errors', 'geometry'}),
        ('metrics', {'errors', 'geometry', 'taxonomy'}),
        ('artifacts', {'errors'}),
    ],
)
def test_lowest_layers_stand_alone(package_imports, name, allowed):
    assert set(package_imports[name]) <= allowed


def test_every_package_has_a_layer(package_imports):
    assert set(package_imports) - set(LAYERS) == set(), 'give a new package its layer in LAYERS'


def test_no_import_goes_up(package_imports):
    rising = [
        f'{sorted(by)} import {target}, which is above {source}'
        for source, targets in package_imports.items()
        for target, by in targets.items()
        if LAYERS[target] > LAYERS[source]
    ]
    assert rising == []


def test_packages_form_no_cycle(package_imports):
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f'cycle: {" → ".join([*above, name])}'
        if name not in done:
            for other in package_imports[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in list(package_imports):
        visit(name, ())


def test_nothing_inside_imports_from_the_root_package():
    packages = {package(module) for module in modules(LIBRARY)}
    names = {
        name.split('.')[1]
        for module, path in modules(LIBRARY).items()
        for name in imports(path)
        if module != LIBRARY and top(name) == LIBRARY
    }
    assert names - packages <= {'__version__'}


def test_the_library_sees_dataclasses_only():
    users = {
        module
        for module, path in modules(LIBRARY).items()
        if any(top(name) in {'omegaconf', 'yaml'} for name in imports(path))
    }
    assert users <= {'naics_embed.config.load', 'naics_embed.config.edit'}


@pytest.mark.parametrize('folder', ['flows', 'tasks'])
def test_no_module_of_flows_hides_one_of_the_standard_library(folder):
    """Prefect puts the folder of a flow's file on the path, before the standard library."""
    own = {path.stem for path in (ROOT / folder).iterdir() if path.stem != '__init__'}
    assert not own & sys.stdlib_module_names
