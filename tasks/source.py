"""Task: find or fetch the source files. Never cached: a folder or the network may have changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from naics_embed.artifacts import Artifact
from naics_embed.census.edition import NaicsEdition, read_edition
from naics_embed.census.sources import Source, SourceFile, SourceKind, acquire
from naics_embed.config.data import DataConfig
from tasks.progress import download_progress


@task(name='source', task_run_name='source', persist_result=False, cache_policy=NO_CACHE)
def acquire_source(config: DataConfig) -> Source:
    """Return the files that the run starts from."""
    with download_progress() as progress:
        return acquire(
            config.source,
            folder=Path(config.folder).expanduser() if config.folder else None,
            cache_dir=Path(config.cache).expanduser(),
            settings=config.http,
            limits=config.workbook,
            progress=progress,
            base_url=config.base_url,
            edition=read_edition(config.edition),
        )


def source_inputs(source: Source) -> dict[str, Artifact]:
    """Return the files of a source as inputs of a stage."""
    return {key: Artifact.of(file.path) for key, file in source.files.items()}


def source_of(inputs: Mapping[str, Artifact], kind: SourceKind, edition: dict[str, Any]) -> Source:
    """Rebuild a source from the inputs of a stage, which are the files of `acquire_source`."""
    files = {
        key: SourceFile(Path(artifact.path), artifact.sha256, known=True, checked=True)
        for key, artifact in inputs.items()
    }
    return Source(
        kind=kind, files=files, missing=(), warnings=(), edition=NaicsEdition.from_dict(edition)
    )


def describe_source(source: Source) -> dict[str, Any]:
    """Return kind, files with checksums, what is missing, and warnings, as JSON values.

    The same files give the same values: nothing of this machine or of this fetching, which the
    source's own warnings tell the user, is in them.
    """
    return {
        'kind': source.kind,
        'edition': source.edition.title,
        'files': {
            key: {'name': file.path.name, 'sha256': file.sha256, 'known': file.known}
            for key, file in source.files.items()
        },
        'missing': list(source.missing),
        'warnings': [
            *(
                [f'TITLES ONLY: from the package {source.edition.titles}']
                if source.kind == 'package'
                else []
            ),
            *(
                f'without {workbook.file_name}: {workbook.without_it}'
                for workbook in map(source.workbook, source.missing)
            ),
            *(
                f'{file.path.name} is not byte for byte the published file'
                for file in source.files.values()
                if not file.known
            ),
        ],
    }
