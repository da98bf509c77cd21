"""Standard output and standard error, whatever encoding they have."""

import io
import sys


def write_every_character() -> None:
    """Let a character that an encoding lacks be written as an escape, such as ``\\u2192``.

    Where all is UTF-8 and bytes that are no text pass through, they still do.
    """
    for stream in (sys.stdout, sys.stderr):
        # A test, or a program that embeds the command, may have put something else there.
        if not isinstance(stream, io.TextIOWrapper):
            continue
        unicode = stream.encoding.lower().replace('-', '').startswith('utf')
        if stream.errors == 'strict' or (stream.errors == 'surrogateescape' and not unicode):
            stream.reconfigure(errors='backslashreplace')
