"""Bodies of requests that are compressed by gzip, uncompressed up to a limit."""

import zlib

from naics_embed.service.problems import ProblemError

GZIP = 31
"""What zlib calls the format of gzip."""
NAMES = ('gzip', 'x-gzip')
PLAIN = ('', 'identity')
ACCEPTED = {'Accept-Encoding': 'gzip'}


def plain_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its compression.

    Args:
        body: as it came.
        encoding: the header ``Content-Encoding``; empty where there is none.
        limit: most bytes of the body once it is uncompressed.

    Raises:
        ProblemError: 415 for another compression, 400 for a damaged body, 413 for one that is
            larger than the limit.
    """
    named = encoding.strip().lower()
    if named in PLAIN:
        return body
    if named not in NAMES:
        raise ProblemError(
            415,
            f'bodies of the encoding {encoding[:50]!r} are not read; send it plain or by gzip',
            headers=ACCEPTED,
        )
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        # A body may have several members, one after the other.
        while rest:
            reader = zlib.decompressobj(GZIP)
            parts.append(reader.decompress(rest, limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                raise too_large(limit, 'uncompressed')
            if not reader.eof:
                raise ProblemError(400, 'the body is cut: its gzip data has no end')
            rest = reader.unused_data
    except zlib.error as error:
        raise ProblemError(
            400, f'the body is named gzip and is none that can be read ({error})'
        ) from error
    return b''.join(parts)


def too_large(limit: int, state: str = '') -> ProblemError:
    """Return the error of a body that is too large."""
    return ProblemError(
        413,
        f'the body is larger than {limit} bytes{f" {state}" if state else ""}; send the texts in '
        'several requests',
        headers={'Connection': 'close'},
    )
