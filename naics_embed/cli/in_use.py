"""The bundle that a command reads, and what it says where that is a starter."""

from pathlib import Path

import typer

NO_BUNDLE_NOTE = (
    'nothing is trained here, so this is the title and the place of the code alone; `make run` '
    'trains a bundle, and the first `naics-embed search "..."` builds a starter'
)
STARTER_NOTE = (
    'starter: nothing is trained here, so answers come from titles and texts of our own; '
    '`make run` trains a better bundle'
)


def bundle_or_starter(bundle: Path | None) -> Path:
    """Return the bundle that was named, else the promoted one, else a starter; torch is not loaded.

    A starter is built where there is none yet, which takes up to a minute and is said.
    """
    if bundle is not None:
        return bundle
    from naics_embed.bundle.in_use import bundle_in_use

    first = True

    def say(sentence: str) -> None:
        nonlocal first
        if first:
            typer.echo('naics-embed: nothing is trained; building a starter, once', err=True)
            first = False
        typer.echo(f'naics-embed: {sentence}', err=True)

    return bundle_in_use(say)


def bundle_without_building(bundle: Path | None) -> Path | None:
    """Return the bundle as `bundle_or_starter`, but None where a starter would have to be built."""
    if bundle is not None:
        return bundle
    from naics_embed.bundle.in_use import builds_starters, bundle_in_use

    if builds_starters():
        from naics_embed.starter.location import is_built, starter_path

        path = starter_path()
        return path if is_built(path) else None
    return bundle_in_use()


def classification_of(path: Path) -> str:
    """Return the classification of a bundle's codes, such as ``naics2022``."""
    from naics_embed.bundle.storage import Bundle
    from naics_embed.classifications.vintages import vintage_of

    return vintage_of(Bundle.load(path, verify=False).codes()['code'].to_list())


def is_starter(path: Path) -> bool:
    """Whether a bundle is a starter, from its manifest alone."""
    from naics_embed.artifacts import MANIFEST, read_json

    manifest = path / MANIFEST
    return manifest.is_file() and bool(read_json(manifest).get('starter', False))


def say_starter(path: Path) -> None:
    """Say on standard error that answers come from a starter, where they do."""
    if is_starter(path):
        typer.echo(f'naics-embed: {STARTER_NOTE}', err=True)
