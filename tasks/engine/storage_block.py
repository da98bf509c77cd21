"""A storage block of Prefect's server as a file system: its address is configured once."""

from typing import cast

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from prefect.filesystems import RemoteFileSystem

from naics_embed.errors import ConfigError

KIND = RemoteFileSystem.get_block_type_slug()


def file_system(slug: str) -> tuple[AbstractFileSystem, str]:
    """Open the storage that a block describes; its settings are those of fsspec.

    Args:
        slug: ``remote-file-system/NAME``.

    Returns:
        The file system, and the folder in it.

    Raises:
        ConfigError: the server knows no such block, or it is of another kind.
        ImportError: the package of that kind of storage is not installed.
        ValueError: fsspec knows no such kind of storage.
    """
    kind, _, name = slug.partition('/')
    if kind != KIND:
        raise ConfigError(
            f'platform.remote_cache={slug}: a block of the kind {kind} cannot be used; save one of '
            f'the kind {KIND}, with the address of the bucket as its basepath'
        )
    try:
        # Prefect's decorator adds `_sync`, and its annotation does not.
        loaded = RemoteFileSystem.load(name, _sync=True)  # type: ignore[call-arg]
    except ValueError as error:
        raise ConfigError(
            f"platform.remote_cache={slug}: Prefect's server has no such block; save it there, or "
            'name the address itself, such as s3://bucket/folder (docs/platform.md)'
        ) from error
    block = cast(RemoteFileSystem, loaded)
    return url_to_fs(block.basepath, **block.settings)
