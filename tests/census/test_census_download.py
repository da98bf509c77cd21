import base64
import dataclasses
import email.utils
import io
import json
import logging
import socket
import time
import traceback
import types
import zipfile

import pytest

from naics_embed.artifacts import checksum
from naics_embed.census import download as module
from naics_embed.census.download import download
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.errors import SourceError
from naics_embed.workbooks.check import check_workbook
from naics_embed.workbooks.limits import WorkbookLimits
from naics_embed.workbooks.package import DamagedWorkbookError

WORKBOOKS = read_edition(DEFAULT).workbooks
INDEX = WORKBOOKS['index']


@pytest.fixture
def content(tmp_path, census):
    return (census.write(tmp_path / 'published') / INDEX.file_name).read_bytes()


@pytest.fixture
def waits(monkeypatch):
    """Record waits in place of waiting."""
    recorded = []
    clock = types.SimpleNamespace(monotonic=time.monotonic, sleep=recorded.append)
    monkeypatch.setattr(module, 'time', clock)
    return recorded


@pytest.fixture
def fetch(tmp_path, loopback, quick):
    def call(**changes):
        arguments = {'settings': quick, 'base_url': loopback.url, **changes}
        return download(INDEX, tmp_path / 'cache', **arguments)

    return call


def test_fetches_into_the_cache_and_reports_progress(fetch, loopback, answer, content):
    loopback.answers = [answer(content, pieces=4)]
    seen = []
    got = fetch(progress=lambda *values: seen.append(values))
    assert got.path.read_bytes() == content
    assert got.path.name == INDEX.file_name
    assert (got.status, got.known) == ('fetched', False)
    assert got.sha256 == checksum(got.path)[0]
    assert seen[-1] == (INDEX.file_name, len(content), len(content))
    assert [path for path, _ in loopback.requests] == ['/naics/2022_NAICS_Index_File.xlsx']
    assert sorted(p.name for p in got.path.parent.iterdir()) == [
        INDEX.file_name,
        f'{INDEX.file_name}.json',
    ]


def test_known_checksum_is_recognised(tmp_path, loopback, answer, content, quick, caplog):
    loopback.answers = [answer(content)]
    published = tmp_path / 'published' / INDEX.file_name
    workbook = dataclasses.replace(INDEX, sha256=checksum(published)[0])
    got = download(workbook, tmp_path / 'cache', settings=quick, base_url=loopback.url)
    assert got.known
    assert not caplog.records


def test_other_checksum_is_a_warning(fetch, loopback, answer, content, caplog):
    loopback.answers = [answer(content)]
    assert not fetch().known
    assert f'not {INDEX.sha256[:12]}' in caplog.text


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 504])
def test_transient_status_is_retried(fetch, loopback, answer, content, waits, status, quick):
    loopback.answers = [answer(b'busy', status), answer(content)]
    assert fetch().status == 'fetched'
    assert len(loopback.requests) == 2
    assert len(waits) == 1
    assert quick.backoff_s / 2 <= waits[0] <= quick.backoff_s


def test_waits_double_up_to_their_bound(fetch, loopback, answer, waits, quick):
    loopback.answers = [answer(b'busy', 503)]
    settings = dataclasses.replace(quick, retries=5)
    with pytest.raises(SourceError, match=r'503 Service Unavailable \(attempts: 6'):
        fetch(settings=settings)
    bounds = [0.01, 0.02, 0.02, 0.02, 0.02]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))


@pytest.mark.parametrize('status', [400, 403, 404, 410, 304])
def test_other_status_is_final(fetch, loopback, answer, status):
    loopback.answers = [answer(b'', status)]
    with pytest.raises(SourceError, match=f'2022_NAICS_Index_File.*answered {status}'):
        fetch()
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(('header', 'expected'), [('7', 7.0), ('3600', 9.0), ('soon', None)])
def test_retry_after_in_seconds(fetch, loopback, answer, content, waits, quick, header, expected):
    loopback.answers = [answer(b'', 429, {'Retry-After': header}), answer(content)]
    fetch(settings=dataclasses.replace(quick, backoff_max_s=9.0))
    assert waits == [expected] if expected is not None else waits[0] <= quick.backoff_s


@pytest.mark.parametrize(('ahead', 'low', 'high'), [(60, 9, 9), (8, 1, 8), (-60, 0, 0)])
def test_retry_after_as_a_date(fetch, loopback, answer, content, waits, quick, ahead, low, high):
    moment = email.utils.formatdate(time.time() + ahead, usegmt=True)
    loopback.answers = [answer(b'', 503, {'Retry-After': moment}), answer(content)]
    fetch(settings=dataclasses.replace(quick, backoff_max_s=9.0))
    assert low <= waits[0] <= high


def test_a_wait_past_the_deadline_is_not_begun(fetch, loopback, answer, waits, quick):
    loopback.answers = [answer(b'', 503, {'Retry-After': '30'})]
    settings = dataclasses.replace(quick, backoff_max_s=60.0, deadline_s=5.0)
    with pytest.raises(SourceError, match='within 5 s'):
        fetch(settings=settings)
    assert waits == []


def test_truncated_answer_is_retried(fetch, loopback, answer, content):
    loopback.answers = [answer(content[:-50], length=len(content)), answer(content)]
    assert fetch().path.read_bytes() == content
    assert len(loopback.requests) == 2


def test_truncated_answer_without_length_is_retried(fetch, loopback, answer, content):
    loopback.answers = [answer(content[: len(content) // 2], length=-1), answer(content)]
    assert fetch().path.read_bytes() == content
    assert len(loopback.requests) == 2


def test_truncation_without_end_is_an_error(fetch, loopback, answer, content, tmp_path):
    loopback.answers = [answer(content[: len(content) // 2])]
    with pytest.raises(SourceError, match='truncated or corrupt'):
        fetch()
    assert len(loopback.requests) == 3
    assert list((tmp_path / 'cache').iterdir()) == []


def test_flipped_bit_fails_the_crc_and_is_retried(fetch, loopback, answer, content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = archive.getinfo('xl/worksheets/sheet1.xml')
    local_header = 30 + len(part.filename)
    at = part.header_offset + local_header + part.compress_size // 2
    broken = bytearray(content)
    broken[at] ^= 0x10
    loopback.answers = [answer(bytes(broken)), answer(content)]
    assert fetch().path.read_bytes() == content
    assert len(loopback.requests) == 2


@pytest.mark.parametrize(
    ('at', 'value', 'message'),
    [
        pytest.param(6, 99, r'corrupt \(zip file version 9\.9', id='version'),
        pytest.param(8, 0x01, 'has an encrypted part, xl/', id='encryption'),
        pytest.param(8, 0x20, r'corrupt \(compressed patched data', id='flag'),
        pytest.param(10, 97, r'corrupt \(its part xl/.* is packed by method 97', id='packing'),
    ],
)
def test_parts_that_cannot_be_unpacked_are_reported(tmp_path, content, at, value, message):
    path = tmp_path / 'book.xlsx'
    path.write_bytes(content)
    check_workbook(path)
    with zipfile.ZipFile(path) as archive:
        name = archive.getinfo('xl/worksheets/sheet1.xml').filename.encode()
    damaged = bytearray(content)
    entry = damaged.rindex(name) - 46
    assert damaged[entry : entry + 4] == b'PK\x01\x02'
    damaged[entry + at] = value
    path.write_bytes(damaged)
    with pytest.raises(DamagedWorkbookError, match=message):
        check_workbook(path)


def test_error_page_with_status_200_is_refused(fetch, loopback, answer, tmp_path):
    loopback.answers = [answer(b'<!DOCTYPE html><title>Down for maintenance</title>')]
    with pytest.raises(SourceError, match=r'not an Excel workbook.*<!DOCTYPE html>'):
        fetch()
    assert len(loopback.requests) == 1
    assert list((tmp_path / 'cache').iterdir()) == []


def test_zip_that_is_no_workbook_is_refused(fetch, loopback, answer, tmp_path):
    other = tmp_path / 'other.zip'
    with zipfile.ZipFile(other, 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    loopback.answers = [answer(other.read_bytes())]
    with pytest.raises(
        SourceError, match=r'lacks \[Content_Types\].xml, xl/workbook.xml, xl/_rels'
    ):
        fetch()


def test_announced_size_over_the_limit_is_refused(fetch, loopback, answer, content, quick):
    loopback.answers = [answer(content)]
    with pytest.raises(SourceError, match='larger than the limit of 100 bytes'):
        fetch(settings=dataclasses.replace(quick, max_bytes=100))
    assert len(loopback.requests) == 1


def test_unannounced_size_over_the_limit_is_refused(fetch, loopback, answer, quick):
    loopback.answers = [answer(b'PK\x03\x04' + bytes(50_000), length=-1, pieces=50)]
    seen = []
    with pytest.raises(SourceError, match='larger than the limit'):
        fetch(
            settings=dataclasses.replace(quick, max_bytes=10_000),
            progress=lambda _name, received, _total: seen.append(received),
        )
    assert max(seen, default=0) <= 10_000


def test_archive_that_unpacks_too_far_is_refused(fetch, loopback, answer, content, tmp_path):
    loopback.answers = [answer(content)]
    with pytest.raises(SourceError, match=r'more than data\.workbook\.max_unpacked_bytes=50 bytes'):
        fetch(limits=WorkbookLimits(max_unpacked_bytes=50))
    assert len(loopback.requests) == 1
    assert list((tmp_path / 'cache').iterdir()) == []


def test_silent_server_times_out_and_is_retried(fetch, loopback, answer, content, quick):
    loopback.answers = [answer(content, pause_s=1.0), answer(content)]
    assert fetch(settings=dataclasses.replace(quick, read_timeout_s=0.15)).status == 'fetched'
    assert len(loopback.requests) == 2


def test_trickling_server_meets_the_deadline(fetch, loopback, answer, content, quick):
    loopback.answers = [answer(content, pause_s=0.05, pieces=100)]
    settings = dataclasses.replace(quick, deadline_s=1.0)
    with pytest.raises(SourceError, match='before the deadline'):
        fetch(settings=settings)
    assert len(loopback.requests) == 1


def test_refused_connection_is_retried_then_an_error(tmp_path, quick, waits, monkeypatch):
    monkeypatch.setenv('NO_PROXY', '127.0.0.1')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match=r'ConnectError.*attempts: 3.*data\.folder'):
        download(
            INDEX, tmp_path / 'cache', settings=quick, base_url=f'http://127.0.0.1:{port}/naics'
        )
    assert len(waits) == 2


def test_bad_address_is_an_error_at_once(tmp_path, quick, waits):
    with pytest.raises(SourceError, match='cannot be fetched'):
        download(INDEX, tmp_path / 'cache', settings=quick, base_url='file:///etc')
    assert waits == []


def test_unchanged_file_is_not_sent_again(fetch, loopback, answer, content):
    stamp = 'Mon, 03 Jan 2022 10:00:00 GMT'
    headers = {'ETag': '"v1"', 'Last-Modified': stamp}
    loopback.answers = [answer(content, headers=headers), answer(status=304)]
    first, second = fetch(), fetch()
    assert (first.status, second.status) == ('fetched', 'not modified')
    assert second.sha256 == first.sha256
    sent = loopback.requests[1][1]
    assert (sent['If-None-Match'], sent['If-Modified-Since']) == ('"v1"', stamp)


def test_changed_file_replaces_the_copy(fetch, loopback, answer, content, tmp_path, census):
    census.index.append([111110, 'Millet growing'])
    changed = (census.write(tmp_path / 'changed') / INDEX.file_name).read_bytes()
    loopback.answers = [
        answer(content, headers={'ETag': '"v1"'}),
        answer(changed, headers={'ETag': '"v2"'}),
    ]
    fetch()
    got = fetch()
    assert (got.status, got.path.read_bytes()) == ('fetched', changed)
    sidecar = json.loads((tmp_path / 'cache' / f'{INDEX.file_name}.json').read_text())
    assert (sidecar['etag'], sidecar['sha256']) == ('"v2"', got.sha256)


def test_altered_copy_is_fetched_whole(fetch, loopback, answer, content, tmp_path, census):
    census.index.append([111110, 'Millet growing'])
    loopback.answers = [answer(content, headers={'ETag': '"v1"'})]
    fetch()
    census.write(tmp_path / 'cache', leave_out=('codes', 'descriptions', 'cross_references'))
    assert fetch().path.read_bytes() == content
    assert 'If-None-Match' not in loopback.requests[1][1]


def test_damaged_copy_and_sidecar_are_ignored(fetch, loopback, answer, content, tmp_path, caplog):
    loopback.answers = [answer(content, headers={'ETag': '"v1"'})]
    path = fetch().path
    path.write_bytes(content[:100])
    assert fetch().path.read_bytes() == content
    assert 'the copy in the cache is ignored' in caplog.text
    (tmp_path / 'cache' / f'{INDEX.file_name}.json').write_text('{')
    assert fetch().status == 'fetched'
    assert all('If-None-Match' not in headers for _, headers in loopback.requests)


@pytest.mark.parametrize('fault', ['status', 'page'])
def test_offline_uses_the_copy_with_a_warning(fetch, loopback, answer, content, caplog, fault):
    loopback.answers = [answer(content), answer(b'x', 503) if fault == 'status' else answer(b'<p>')]
    fetch()
    with caplog.at_level(logging.WARNING):
        got = fetch()
    assert (got.status, got.path.read_bytes()) == ('cached', content)
    assert 'using the copy in the cache' in caplog.text


def test_a_mirror_with_a_password_is_signed_in_to_from_netrc(
    fetch, loopback, answer, content, tmp_path, monkeypatch
):
    file = tmp_path / 'netrc'
    file.write_text('machine elsewhere.example login a password b\n', encoding='utf-8')
    monkeypatch.setenv('NETRC', str(file))
    loopback.answers = [answer(content)] * 2
    fetch()
    file.write_text('machine 127.0.0.1 login someone password secret\n', encoding='utf-8')
    fetch()
    sent = [headers.get('Authorization') for _, headers in loopback.requests]
    assert sent == [None, f'Basic {base64.b64encode(b"someone:secret").decode()}']


def test_a_netrc_that_cannot_be_read_is_named_and_not_shown(fetch, tmp_path, monkeypatch):
    file = tmp_path / 'netrc'
    file.write_text('machine 127.0.0.1\nlogin someone pasword secret\n', encoding='utf-8')
    monkeypatch.setenv('NETRC', str(file))
    with pytest.raises(SourceError, match=r'netrc, line \d cannot be read') as caught:
        fetch()
    assert 'secret' not in ''.join(traceback.format_exception(caught.value)).replace('secrets', '')
