"""Names of sources of labelled texts: files, and batches of the review."""

from pathlib import Path

PREFIX = 'review:'
"""What a source begins with that is a batch of the review, and no file."""


def batch_named(source: object) -> str | None:
    """Return the batch that a source names; None for a file.

    Example:
        >>> batch_named('review:q3'), batch_named('firms.csv')
        ('q3', None)
    """
    text = str(source)
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def source_name(source: object) -> str:
    """Return the name of what is learned from a source: the file's without ending, the batch's.

    Example:
        >>> source_name('review:q3'), source_name('data/firms.csv.gz')
        ('q3', 'firms')
    """
    return batch_named(source) or Path(str(source)).name.partition('.')[0]
