"""Whether a command that is shown exists: programs, options, configuration keys, deployments.

A check raises AssertionError, or the error of the program's own parser.
"""

import ast
import importlib
import re
import subprocess
import tomllib
from functools import cache
from typing import Any

import typer
import yaml
from packaging.requirements import Requirement

from naics_embed.cli import main as entry
from naics_embed.config.load import load_config
from tests.docs.documents import PLACEHOLDER, ROOT

CONFIGS = ROOT / 'configs'
OVERRIDE = re.compile(r'^[a-z_]+(\.[a-z_]+)+=')
MADE_UP = re.compile(r'\b[A-Z]{2,}(_[A-Z])?\b')
"""BUNDLE, KEY, HOST: a reader puts something in its place."""


def check_naics_embed(words: list[str], *, inline: bool) -> None:
    """Parse the options as the command does, and load the configuration that they name."""
    commands = own_commands()
    if words[0].startswith('-'):
        assert words[0] in ('--help', '--version')
        return
    assert words[0] in commands, f'there is no command {words[0]}'
    if inline and len(words) == 1:
        return
    command = commands[words[0]]
    while isinstance(command, typer.core.TyperGroup):
        words = words[1:]
        if inline and len(words) == 0:
            return
        assert set(words[:1]) & set(command.commands), f'there is no command {words}'
        command = command.commands[words[0]]
    if inline and len(words) == 1:
        return
    context = command.make_context(words[0], list(words[1:]), resilient_parsing=False)
    overrides = [word for word in words[1:] if OVERRIDE.match(word)]
    if overrides:
        load_config(CONFIGS, context.params.get('profile') or 'cpu', overrides)


@cache
def own_commands() -> dict[str, Any]:
    """Every command, those of the pipeline included."""
    from flows.cli.commands import app as pipeline

    everything = typer.Typer()
    own = {command.callback: command for command in entry.app.registered_commands}
    joined = {command.callback: command for command in pipeline.registered_commands}
    everything.registered_commands = list((own | joined).values())
    everything.registered_groups = list(entry.app.registered_groups)
    group = typer.main.get_command(everything)
    return dict(group.commands)


def check_make(words: list[str], *, inline: bool) -> None:
    """Let make plan without doing, and look into ARGS."""
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    variables = dict(word.split('=', 1) for word in words if '=' in word)
    for name in variables:
        assert re.search(rf'\b{name}\b', makefile), f'the Makefile knows no {name}'
    target = [word for word in words if '=' not in word]
    plan_make(tuple(words))
    arguments = variables.get('ARGS', '').split()
    if PLACEHOLDER in arguments:
        return
    if target == ['platform']:
        check_options('flows.local_platform', ['up', '--db', 'sqlite', *arguments])
    elif target in (['run'], ['smoke']):
        load_config(CONFIGS, variables.get('PROFILE', 'cpu'), arguments)


@cache
def plan_make(words: tuple[str, ...]) -> None:
    """Run make -n; the same words are planned once."""
    done = subprocess.run(
        ['make', '-n', *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def check_python(words: list[str], *, inline: bool) -> None:
    """Look for the module or file, and for its options."""
    if words[0] == '-m':
        check_options(words[1], words[2:])
    elif words[0] == '-c':
        for node in ast.walk(ast.parse(words[1])):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names)
    else:
        assert (ROOT / words[0]).is_file(), f'there is no {words[0]}'


def top(module: str) -> str:
    """Return the first part of a dotted name."""
    return module.partition('.')[0]


def check_options(module: str, words: list[str]) -> None:
    """Look whether a module of this checkout adds the arguments that are used."""
    path = ROOT.joinpath(*module.split('.'))
    if (path / '__main__.py').is_file():
        # Its main module runs the command when it is imported.
        module, path = f'{module}.commands', path / 'commands'
    path = path.with_suffix('.py')
    assert path.is_file(), f'there is no module {module}'
    loaded = importlib.import_module(module) if top(module) == 'flows' else None
    if hasattr(loaded, 'app'):
        commands = typer.main.get_command(loaded.app).commands
        assert words[0] in commands, f'{module} knows no {words[0]}'
        commands[words[0]].make_context(words[0], list(words[1:]))
        return
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') == 'add_argument'
    ]
    known = {
        argument.value
        for call in calls
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }
    unknown = [word for word in words if word.startswith('--') and word.split('=')[0] not in known]
    assert not unknown, f'{module} knows no {unknown}'
    for word in words:
        if OVERRIDE.match(word):
            load_config(CONFIGS, 'cpu', [word])


def check_pytest(words: list[str], *, inline: bool) -> None:
    """Look for the files."""
    for word in words:
        assert word.startswith('-') or (ROOT / word.split('::')[0]).exists(), f'there is no {word}'


def check_pip(words: list[str], *, inline: bool) -> None:
    """Look for packages among the tested versions, and for extras of this project."""
    assert words[0] == 'install'
    pinned = (ROOT / 'constraints.txt').read_text(encoding='utf-8').lower()
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    taken = False
    for before, word in zip(['', *words], words, strict=False):
        if word.startswith('-') or word == 'install' or before in ('-c', '-r'):
            continue
        # The folder of the checkout is the project itself, with or without extras.
        name = re.sub(r'^\.(?=\[|$)', project['name'], word)
        wanted = Requirement(name)
        taken = True
        if wanted.name == project['name']:
            unknown = wanted.extras - set(project['optional-dependencies'])
            assert not unknown, f'there is no extra {unknown}'
        else:
            assert f'\n{wanted.name.lower()}==' in pinned, (
                f'{wanted.name} is not in constraints.txt'
            )
    assert taken


def check_prefect(words: list[str], *, inline: bool) -> None:
    """Parse with Prefect's own parser; deployments, parameters and pools must be ours."""
    from prefect.cli._app import _app

    tokens = [word for word in words if word != '--no-prompt']
    _, bound, _ = _app.parse_args(tokens, print_error=False, exit_on_error=False)
    given = bound.arguments
    if 'work_pool_name' in given:
        pools = yaml.safe_load((ROOT / 'deployments' / 'pools.yaml').read_text(encoding='utf-8'))
        assert given['work_pool_name'] in set(pools) - {'types', 'job'}
    if 'prefect_file' in given:
        assert (ROOT / given['prefect_file']).is_file()
    if words[0] == 'deployment':
        known = deployments()
        assert given['name'] in known, f'there is no deployment {given["name"]}'
        for pair in given.get('params', []):
            assert pair.partition('=')[0] in known[given['name']]


@cache
def deployments() -> dict[str, set[str]]:
    """Name of each deployment → parameters of its flow."""
    file = ROOT / 'deployments' / 'prefect.yaml'
    found = {}
    for entry_ in yaml.safe_load(file.read_text(encoding='utf-8'))['deployments']:
        path, function = entry_['entrypoint'].split(':')
        tree = ast.parse((ROOT / path).read_text(encoding='utf-8'))
        [flow] = [
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == function
        ]
        name = next(
            keyword.value.value
            for decorator in flow.decorator_list
            for keyword in getattr(decorator, 'keywords', [])
            if keyword.arg == 'name'
        )
        found[f'{name}/{entry_["name"]}'] = {argument.arg for argument in flow.args.args}
    return found


def check_mlflow(words: list[str], *, inline: bool) -> None:
    """Parse with MLflow's own parser."""
    from mlflow.cli import cli

    command: Any = cli
    rest = list(words)
    while hasattr(command, 'commands'):
        name = rest.pop(0)
        assert name in command.commands, f'mlflow knows no {name}'
        command = command.commands[name]
    if rest:
        command.make_context(words[0], rest)


def check_docker(words: list[str], *, inline: bool) -> None:
    """Look for the compose file, its profiles and services; or for a pinned base image."""
    if words[:3] == ['buildx', 'imagetools', 'inspect']:
        files = [ROOT / 'docker' / name for name in ('compose.yaml', 'Dockerfile')]
        assert any(words[3] in file.read_text(encoding='utf-8') for file in files)
        return
    assert words[:3] == ['compose', '-f', 'docker/compose.yaml']
    content = yaml.safe_load((ROOT / words[2]).read_text(encoding='utf-8'))
    profiles = {
        name for service in content['services'].values() for name in service.get('profiles', [])
    }
    rest = words[3:]
    if rest[0] == '--profile':
        assert rest[1] in profiles
        rest = rest[2:]
    assert rest[0] in ('up', 'down', 'exec', 'cp', 'logs', 'run', 'config')
    if rest[0] == 'exec':
        assert rest[1] in content['services']
        check(rest[2:], inline=inline)


def check_export(words: list[str], *, inline: bool) -> None:
    """Look whether the variables mean something to this project."""
    for word in words:
        check_variable(word.partition('=')[0])


def check_variable(name: str) -> None:
    """Look for a variable in code, compose file, deployments and Makefile."""
    assert re.search(rf'\b{name}\b', _settings()), f'nothing reads {name}'


@cache
def _settings() -> str:
    folders = ('naics_embed', 'flows', 'tasks', 'docker', 'deployments')
    files = [ROOT / 'Makefile', *(f for name in folders for f in (ROOT / name).rglob('*.*'))]
    readable = {'.py', '.yaml', '.sql', ''}
    return '\n'.join(file.read_text(encoding='utf-8') for file in files if file.suffix in readable)


CHECKS = {
    'naics-embed': check_naics_embed,
    '.venv/bin/naics-embed': check_naics_embed,
    'make': check_make,
    'python': check_python,
    'pytest': check_pytest,
    'pip': check_pip,
    'prefect': check_prefect,
    'mlflow': check_mlflow,
    'docker': check_docker,
    'export': check_export,
}


def check(words: list[str], *, inline: bool) -> None:
    """Check a command line. Raises KeyError for a program that no check is written for."""
    CHECKS[words[0]](words[1:], inline=inline)
