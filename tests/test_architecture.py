"""Arrows between the rooms of the house go down only."""

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

FLOORS = {
    'redaction': 0,
    'errors': 0,
    'artifacts': 1,
    'taxonomy': 1,
    'geometry': 1,
    'workbooks': 1,
    'disk': 1,
    'time_limit': 1,
    'losses': 2,
    'metrics': 2,
    'data': 2,
    'evidence': 3,
    'census': 2,
    'baselines': 2,
    'supervision': 3,
    'figures': 3,
    'curves': 3,
    'text': 3,
    'config': 4,
    'training': 5,
    'graph': 5,
    'evaluation': 5,
    'bundle': 5,
    'search': 6,
    'export': 6,
    'atlas': 6,
    'report': 6,
    'estimators': 7,
    'doctor': 7,
    'service': 7,
    'cli': 8,
    '__main__': 9,
}
"""A room may import itself and rooms of its own floor or below."""

FRONT_DOOR = '__init__'
"""The package itself: it may point to any room, and only its version is read from inside."""


@cache
def modules(folder: str) -> dict[str, Path]:
    """Dotted name → file."""
    found = {}
    for path in sorted((ROOT / folder).rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


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


def room(module: str) -> str:
    parts = module.split('.')
    return parts[1] if len(parts) > 1 else FRONT_DOOR


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
def room_imports() -> dict[str, dict[str, set[str]]]:
    """Room → other room that it imports → the modules that do."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module in modules(LIBRARY):
        source = room(module)
        if source != FRONT_DOOR:
            found[source]
            for other in named_modules(modules(LIBRARY)[module]):
                if room(other) != source:
                    found[source][room(other)].add(module)
    return found


def test_the_walk_sees_imports(room_imports):
    assert len(modules(LIBRARY)) > 60
    assert {'naics_embed.errors.CodeError', 'numpy', 'functools.cached_property'} <= imports(
        ROOT / 'naics_embed' / 'taxonomy.py'
    )
    assert 'geometry' in room_imports['text']


def test_the_library_is_pure():
    assert offenders(LIBRARY, ORCHESTRATION) == []


def test_tasks_do_not_import_flows():
    assert offenders('tasks', {'flows', 'benchmarks', 'tests'}) == []


def test_flows_do_not_import_tests_or_benchmarks():
    assert offenders('flows', {'benchmarks', 'tests'}) == []


def test_only_training_rooms_import_lightning():
    found = {
        room(module)
        for module, path in modules(LIBRARY).items()
        if any(top(name) in LIGHTNING for name in imports(path))
    }
    assert 'training' in found
    assert found <= {'training', 'graph'}


def test_tasks_and_flows_leave_lightning_to_the_library():
    assert offenders('tasks', LIGHTNING) == []
    assert offenders('flows', LIGHTNING) == []


@pytest.mark.parametrize(
    ('name', 'allowed'),
    [
        ('redaction', set()),
        ('errors', {'redaction'}),
        ('taxonomy', {'errors'}),
        ('geometry', {'errors'}),
        ('losses', {'errors', 'geometry'}),
        ('metrics', {'errors', 'geometry', 'taxonomy'}),
        ('artifacts', {'errors'}),
    ],
)
def test_ground_floor_stands_alone(room_imports, name, allowed):
    assert set(room_imports[name]) <= allowed


def test_every_room_has_a_floor(room_imports):
    assert set(room_imports) - set(FLOORS) == set(), 'give a new room its floor in FLOORS'


def test_no_arrow_goes_up(room_imports):
    rising = [
        f'{sorted(by)} import {target}, which is above {source}'
        for source, targets in room_imports.items()
        for target, by in targets.items()
        if FLOORS[target] > FLOORS[source]
    ]
    assert rising == []


def test_rooms_form_no_cycle(room_imports):
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f'cycle: {" → ".join([*above, name])}'
        if name not in done:
            for other in room_imports[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in list(room_imports):
        visit(name, ())


def test_nothing_inside_goes_through_the_front_door():
    rooms = {room(module) for module in modules(LIBRARY)}
    names = {
        name.split('.')[1]
        for module, path in modules(LIBRARY).items()
        for name in imports(path)
        if module != LIBRARY and top(name) == LIBRARY
    }
    assert names - rooms <= {'__version__'}


def test_the_library_sees_dataclasses_only():
    users = {
        module
        for module, path in modules(LIBRARY).items()
        if any(top(name) in {'omegaconf', 'yaml'} for name in imports(path))
    }
    assert users <= {'naics_embed.config.load', 'naics_embed.config.edit'}


def closure(names: set[str]) -> set[str]:
    """Library modules, and all that they import."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= named_modules(modules(LIBRARY)[module]) - found
    return found


def stages() -> dict[str, tuple[Path, set[str]]]:
    """Name of a stage → its file, and the library modules whose source is in its key."""
    found = {}
    for path in modules('tasks').values():
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'Stage':
                found[ast.literal_eval(node.args[0])] = (path, set(ast.literal_eval(node.args[2])))
    return found


NOT_KEYED = {f'{LIBRARY}.{name}' for name in ('artifacts', 'errors', 'taxonomy', 'figures')} | {
    name for name in modules(LIBRARY) if name.startswith(f'{LIBRARY}.config.')
}
"""What a stage's file may import beside the code it runs: records, settings, drawings."""


@pytest.mark.parametrize('name', sorted(stages()))
def test_a_stage_is_computed_again_when_code_that_it_calls_changes(name):
    path, keyed = stages()[name]
    assert keyed <= set(modules(LIBRARY)), 'a stage names a module that does not exist'
    uncovered = named_modules(path) - closure(keyed) - NOT_KEYED
    assert not uncovered, f'{path}: not in the key of the stage: {sorted(uncovered)}'


def test_the_walk_finds_every_stage():
    assert len(stages()) >= 15


@pytest.mark.parametrize('folder', ['flows', 'tasks'])
def test_no_module_of_flows_hides_one_of_the_standard_library(folder):
    """Prefect puts the folder of a flow's file on the path, before the standard library."""
    own = {path.stem for path in (ROOT / folder).iterdir() if path.stem != '__init__'}
    assert not own & sys.stdlib_module_names
