"""What is said of disks that are full, read-only, forbidden or failing, and of nothing else."""

import errno
import os

import pytest

from naics_embed.disk import disk_error
from naics_embed.errors import DiskError, DiskFullError
from tests.disks import fill, make_read_only, small_disk


def os_error(number: int, path: object) -> OSError:
    return OSError(number, os.strerror(number), str(path))


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(tmp_path, number):
    error = disk_error(os_error(number, tmp_path / 'table.parquet'))
    assert isinstance(error, DiskFullError)
    assert f'no space left on the disk of {tmp_path}/table.parquet; make room' in str(error)


def test_a_full_disk_behind_another_error(tmp_path):
    with pytest.raises(RuntimeError) as caught:  # noqa: PT012
        try:
            raise os_error(errno.ENOSPC, tmp_path)
        finally:
            raise RuntimeError('ending the run failed, too')
    assert isinstance(disk_error(caught.value), DiskFullError)


def test_a_place_for_an_error_that_names_none(tmp_path):
    error = disk_error(RuntimeError('database or disk is full'), tmp_path / 'mlflow.db')
    assert f'the disk of {tmp_path}/mlflow.db, or on that of the temporary' in str(error)
    assert 'no space left on a disk' in str(disk_error(RuntimeError('No space left on device')))


def test_a_disk_that_is_read_only(tmp_path):
    for error in (
        os_error(errno.EROFS, tmp_path),
        RuntimeError('attempt to write a readonly database'),
    ):
        reported = disk_error(error, tmp_path)
        assert type(reported) is DiskError
        assert 'read-only' in str(reported)
        assert 'NAICS_EMBED_HOME' in str(reported)


def test_a_disk_that_fails(tmp_path):
    error = disk_error(
        RuntimeError('(sqlite3.OperationalError) disk I/O error\n[SQL: …]'), tmp_path
    )
    assert type(error) is DiskError
    assert 'fails (disk I/O error)' in str(error)


def test_a_database_that_fails_on_a_full_disk_finds_it_full(tmp_path):
    with small_disk(tmp_path / 'disk', 1) as disk:
        fill(disk)
        assert isinstance(disk_error(RuntimeError('disk I/O error'), disk / 'db'), DiskFullError)


def test_real_disks(tmp_path):
    with small_disk(tmp_path / 'disk', 1) as disk:
        fill(disk)
        with pytest.raises(OSError, match='No space left') as full:
            (disk / 'more').write_bytes(bytes(100_000))
        assert isinstance(disk_error(full.value), DiskFullError)
        make_read_only(disk)
        with pytest.raises(OSError, match='Read-only') as read_only:
            (disk / 'new').mkdir()
        assert f'the disk of {disk}/new cannot be written' in str(disk_error(read_only.value))


def test_a_place_that_one_may_not_write(tmp_path):
    error = disk_error(os_error(errno.EACCES, tmp_path / 'folder'))
    assert f'{tmp_path}/folder: Permission denied' in str(error)


@pytest.mark.parametrize(
    'error',
    [
        ValueError('a bug'),
        FileNotFoundError(errno.ENOENT, 'No such file or directory', 'x'),
        BrokenPipeError(errno.EPIPE, 'Broken pipe'),
        PermissionError('a lock that another holds'),
    ],
)
def test_others_are_left_as_they_are(error):
    assert disk_error(error) is None
