"""The command ``monitor``: do the texts that come in, and the answers to them, change?"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naics_embed.artifacts import atomic_file
from naics_embed.cli.checkout import configs_folder
from naics_embed.cli.labelled_files import AsJson, check_folder
from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError

if TYPE_CHECKING:
    from naics_embed.config.monitoring import MonitoringConfig

ALL = 'all'
EXIT_ALARM = 3


def monitor(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help='Tables that code or code-batch has written, or observations that the service '
            'has logged.',
            metavar='FILE...',
        ),
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            help='The same, of a time at which all was well; labelled texts of the bundle by '
            'default.'
        ),
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help='Column of dates or times, ISO 8601.')
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help='Column of texts, for their length and unknown words.')
    ] = None,
    prefix: Annotated[str, typer.Option(help='Of the columns that code has added.')] = 'naics_',
    every: Annotated[str, typer.Option(help='Window: day, week, month, or all.')] = 'week',
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='Write a page with trends, an HTML file.')
    ] = None,
    prometheus: Annotated[
        Path | None,
        typer.Option(help='Write metrics of the last window, for the textfile collector.'),
    ] = None,
    fail: Annotated[
        bool, typer.Option('--fail', help=f'End with status {EXIT_ALARM} on an alarm.')
    ] = False,
    as_json: AsJson = False,
    bundle: BundleOption = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option('--set', help='A setting, such as monitoring.psi=0.2.', metavar='KEY=VALUE'),
    ] = None,
) -> None:
    """Compare coded texts with earlier ones, window by window, and report what has changed."""
    from naics_embed.monitoring.compare import monitor as compare
    from naics_embed.monitoring.files import read_files
    from naics_embed.monitoring.page import render_monitoring, title_of
    from naics_embed.monitoring.prometheus import prometheus_text
    from naics_embed.monitoring.reference import reference_of_bundle

    check_folder(out)
    check_folder(prometheus)
    settings = monitoring_config(overrides or [])
    coder = None
    if not reference or text_column is not None:
        from naics_embed.bundle.promotion import promoted_bundle
        from naics_embed.search.coder import Coder

        coder = Coder.load(bundle or promoted_bundle())
    read = partial(read_files, prefix=prefix, text_column=text_column, coder=coder)
    observed = read(sources, time_column=time_column)
    if reference:
        before = read(reference)
        named = ', '.join(path.name for path in reference)
    else:
        assert coder is not None
        before = reference_of_bundle(coder, settings.reference_rows)
        named = 'labelled texts of the bundle'
    result = compare(observed, before, settings, every=None if every == ALL else every, named=named)
    if out is not None:
        with atomic_file(out) as temporary:
            name = ', '.join(path.name for path in sources)
            temporary.write_text(render_monitoring(result, name), encoding='utf-8')
    if prometheus is not None:
        with atomic_file(prometheus) as temporary:
            temporary.write_text(prometheus_text(result), encoding='utf-8')
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        for window in result.windows:
            names = ', '.join(f'{drift.name} (PSI {drift.psi:.2f})' for drift in window.alarms)
            said = names or ('no change' if window.drifts else 'too few texts to judge')
            typer.echo(f'{title_of(window)}: {window.rows:,} texts, {said}')
        if result.skipped:
            typer.echo(f'not compared: {", ".join(result.skipped)}')
        if out is not None:
            typer.echo(f'page: {out}')
    if fail and result.alarms:
        raise typer.Exit(EXIT_ALARM)


def monitoring_config(overrides: list[str]) -> 'MonitoringConfig':
    """Return the section ``monitoring``: of the checkout, or the defaults without one."""
    from naics_embed.config.load import load_config
    from naics_embed.config.monitoring import MonitoringConfig

    folder = configs_folder()
    if folder.is_dir():
        return load_config(folder, None, overrides).config.monitoring
    if overrides:
        raise UserError('--set needs a checkout of the project, whose configs it changes')
    return MonitoringConfig()
