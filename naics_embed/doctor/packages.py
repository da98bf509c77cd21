"""Python, and the packages against what the project requires and was tested with."""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from naics_embed.doctor.finding import Finding, fail, ok, warn

DISTRIBUTION = 'naics-embed'
SHOWN = 6

Installed = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_python() -> Finding:
    """Compare Python with what the package asks for."""
    here = '.'.join(map(str, sys.version_info[:3]))
    required = metadata(DISTRIBUTION)['Requires-Python']
    if SpecifierSet(required).contains(here):
        return ok('python', here)
    return fail('python', f'{here}, not {required}', 'make the environment again with PYTHON=...')


def check_packages(
    constraints: Path | None, installed: Installed = installed_version
) -> list[Finding]:
    """Compare packages with the requirements, extras included, and with the tested versions.

    Args:
        constraints: file of the tested versions; None outside a checkout.
        installed: looks a version up by name.
    """
    by_extra = requirements_by_extra(requires(DISTRIBUTION) or [])
    findings = [_required(by_extra.pop('', []), installed)]
    findings += [_extra(extra, listed, installed) for extra, listed in sorted(by_extra.items())]
    if constraints is not None and constraints.is_file():
        findings.append(_tested(constraints, installed))
    return findings


def requirements_by_extra(lines: list[str]) -> dict[str, list[Requirement]]:
    """Group requirements by the extra that asks for them, under '' those of the package itself."""
    by_extra: dict[str, list[Requirement]] = {}
    for line in lines:
        requirement = Requirement(line)
        marker = str(requirement.marker or '')
        extra = marker.partition('extra == ')[2].strip('"\' ') if 'extra == ' in marker else ''
        by_extra.setdefault(extra, []).append(requirement)
    return by_extra


def _problems(requirements: list[Requirement], installed: Installed) -> tuple[list[str], list[str]]:
    """Return what is absent, and what has another version than is required."""
    absent, other = [], []
    for requirement in requirements:
        here = installed(requirement.name)
        if here is None:
            absent.append(requirement.name)
        elif not requirement.specifier.contains(here, prereleases=True):
            other.append(f'{requirement.name} {here} (needs {requirement.specifier})')
    return absent, other


def _required(requirements: list[Requirement], installed: Installed) -> Finding:
    absent, other = _problems(requirements, installed)
    if not absent and not other:
        return ok('packages', f'{len(requirements)} required packages in their ranges')
    return fail(
        'packages',
        '; '.join([*(f'{name} is not installed' for name in absent), *other]),
        f'pip install -c constraints.txt {DISTRIBUTION}, or make setup in a checkout',
    )


def _extra(extra: str, requirements: list[Requirement], installed: Installed) -> Finding:
    subject = f'extra {extra}'
    absent, other = _problems(requirements, installed)
    remedy = f"pip install -c constraints.txt -e '.[{extra}]'"
    if other:
        return fail(subject, '; '.join(other), remedy)
    if not absent:
        return ok(subject, 'installed')
    names = ', '.join(absent[:SHOWN]) + (', …' if len(absent) > SHOWN else '')
    if len(absent) < len(requirements):
        return warn(subject, f'not complete: {names}', remedy)
    return ok(subject, f'not installed (optional): {names}')


def _tested(constraints: Path, installed: Installed) -> Finding:
    pinned = pinned_versions(constraints.read_text(encoding='utf-8'))
    here = {name: installed(name) for name in pinned}
    different = [
        f'{name} {here[name]} (tested {pin})'
        for name, pin in pinned.items()
        # A build such as 2.13.0+cpu is the version 2.13.0.
        if here[name] is not None and str(here[name]).partition('+')[0] != pin
    ]
    if not different:
        count = sum(value is not None for value in here.values())
        return ok('tested versions', f'{count} installed packages as in {constraints.name}')
    named = '; '.join(different[:SHOWN]) + ('; …' if len(different) > SHOWN else '')
    return warn(
        'tested versions',
        f'{len(different)} differ from {constraints.name}: {named}',
        f"pip install -c {constraints.name} -e '.[train,platform,dev]'",
    )


def pinned_versions(text: str) -> Mapping[str, str]:
    """Return name → version of the lines ``name==version``."""
    lines = (line.partition('#')[0].strip() for line in text.splitlines())
    pairs = (line.partition('==') for line in lines if '==' in line)
    return {canonicalize_name(name): pin for name, _, pin in pairs}
