"""The command ``report``."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from naics_embed.errors import UserError

LAST = 'report.html'


def report(
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='HTML file to write; report.html here.')
    ] = None,
    show: Annotated[bool, typer.Option('--open', help='Open it in the browser.')] = False,
    bundle: Annotated[
        Path | None,
        typer.Option('--bundle', help='Report on this bundle alone; by default on the last run.'),
    ] = None,
) -> None:
    """Show the report of the last run, or what a bundle alone can tell.

    Without --bundle, the last run under the artifact root; the promoted bundle where no run has
    left a report.
    """
    from naics_embed.bundle.promotion import artifact_root

    last = artifact_root() / LAST
    if bundle is None and last.is_file():
        path = last if out is None else _written(last.read_text(encoding='utf-8'), out)
    else:
        path = _written(_of_bundle(bundle), out or Path(LAST))
    typer.echo(str(path))
    if show and not webbrowser.open(path.resolve().as_uri()):
        raise UserError(f'no browser could be started; open {path} in one')


def _of_bundle(path: Path | None) -> str:
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.bundle.storage import Bundle
    from naics_embed.report.of_bundle import marks_of_bundle, report_of_bundle
    from naics_embed.report.render import complete, render
    from naics_embed.report.verdict import judge

    bundle = Bundle.load(path or promoted_bundle())
    marks = marks_of_bundle(bundle)
    content = report_of_bundle(bundle)
    return complete(render(content, judge(content, marks), marks))


def _written(html: str, out: Path) -> Path:
    from naics_embed.artifacts import atomic_file

    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    if out.is_dir():
        raise UserError(f'{out} is a folder; name a file to write')
    with atomic_file(out) as temporary:
        temporary.write_text(html, encoding='utf-8')
    return out
