"""Empty folders that MLflow makes beside a database whose address is quoted."""

from contextlib import suppress
from pathlib import Path

from naics_embed.sqlite_address import SQLITE, sqlite_file


def discard_quoted_folder(uri: str) -> None:
    """Remove the folder that MLflow makes for a SQLite file, where its name has escapes in it.

    MLflow makes the folder of a database before it opens it, and takes ``%3F`` in the address for
    three characters of its name; the database itself lies where it should. Only empty folders are
    removed.
    """
    file = sqlite_file(uri)
    written = Path(uri.removeprefix(SQLITE).partition('?')[0])
    if file is None or written == file:
        return
    for folder in written.parents:
        if folder in file.parents:
            return
        # It is not there, or somebody keeps something in it.
        with suppress(OSError):
            folder.rmdir()
