"""Standard output and standard error, whatever encoding they have."""

import io
import sys
from collections.abc import Sequence

from naics_embed.errors import UserError

STANDARD_INPUT = '-'


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


def given_texts(arguments: Sequence[str]) -> list[str]:
    """Return texts of a command line, with the lines of standard input in place of ``-``.

    Raises:
        UserError: there is no line.
    """
    texts: list[str] = []
    for argument in arguments:
        if argument == STANDARD_INPUT:
            texts += [line.strip() for line in sys.stdin if line.strip()]
        else:
            texts.append(argument)
    if not texts:
        raise UserError('standard input holds no text; give one on each line')
    return texts
