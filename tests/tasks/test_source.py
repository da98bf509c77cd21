"""What exports say of a source: the same for the same files, wherever they lay."""

import json
from pathlib import Path

from naics_embed.census.sources import Source, SourceFile
from tasks.source import describe_source


def source(folder: str, *warnings: str, known: bool = True) -> Source:
    codes = SourceFile(Path(folder) / 'codes.xlsx', 'ab12', known)
    return Source('folder', {'codes': codes}, ('index',), warnings)


def test_the_same_files_are_described_alike_wherever_they_lie():
    here = source('/home/someone/census', '/home/someone/census has no index')
    there = source('/data', 'could not be fetched from http://mirror: ConnectTimeout (attempts: 3)')
    described = describe_source(here)
    assert described == describe_source(there)
    assert described['files'] == {'codes': {'name': 'codes.xlsx', 'sha256': 'ab12', 'known': True}}
    assert '/home' not in json.dumps(described)


def test_what_is_missing_or_not_as_published_is_said():
    (missing,) = describe_source(source('/data'))['warnings']
    assert missing.startswith('without 2022_NAICS_Index_File.xlsx: no examples channel')
    _, altered = describe_source(source('/data', known=False))['warnings']
    assert altered == 'codes.xlsx is not byte for byte the published file'
    titles = Source('package', {}, ('index',), ('Cause: no network at /home/someone',))
    assert describe_source(titles)['warnings'][0].startswith('TITLES ONLY')
