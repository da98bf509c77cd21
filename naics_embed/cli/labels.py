"""The commands ``assess`` and ``learn``, which work with texts that people have coded."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.artifacts import atomic_file
from naics_embed.cli.labelled_files import (
    AsJson,
    CodeColumn,
    GroupColumn,
    MaxUnknown,
    Sheet,
    TextColumn,
    Vintage,
    WeightColumn,
    check_folder,
    read_labels,
)
from naics_embed.cli.progress import rows_done
from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError
from naics_embed.learning.source_names import source_name


def assess(
    source: Annotated[
        Path,
        typer.Argument(
            help='A table with texts and their codes; review:NAME for the decisions of a batch.',
            metavar='FILE',
        ),
    ],
    text_column: TextColumn = 'text',
    code_column: CodeColumn = 'code',
    group_column: GroupColumn = None,
    weight_column: WeightColumn = None,
    vintage: Vintage = 'auto',
    target: Annotated[
        float, typer.Option(help='Accuracy wanted of what is coded automatically.')
    ] = 0.95,
    confidence: Annotated[
        float, typer.Option(help='Least probability of the confident code.')
    ] = 0.8,
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='Write a report, an HTML file.')
    ] = None,
    max_unknown: MaxUnknown = 0.1,
    sheet: Sheet = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Measure the coder on texts that are coded already."""
    from naics_embed.assessment.assess import assess as measure
    from naics_embed.assessment.summary import summary_lines
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.search.coder import Coder

    path = bundle or promoted_bundle()
    check_folder(out)
    if not 0 < target < 1:
        raise UserError(f'--target must be above 0 and below 1, not {target}')
    if not 0 < confidence <= 1:
        raise UserError(f'--confidence must be above 0 and at most 1, not {confidence}')
    columns = (text_column, code_column, group_column, weight_column)
    labelled = read_labels(source, columns, vintage, max_unknown, sheet, path)
    coder = Coder.load(path)
    with rows_done(len(labelled)) as report:
        result = measure(coder, labelled, target=target, confidence=confidence, report=report)
    if out is not None:
        from naics_embed.assessment.page import render_assessment

        with atomic_file(out) as partial:
            partial.write_text(render_assessment(result, source.name), encoding='utf-8')
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=2))
        return
    for line in summary_lines(result):
        typer.echo(line)
    if out is not None:
        typer.echo(f'report: {out}')


def learn(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help='Tables with texts and their codes; review:NAME for the decisions of a batch.',
            metavar='FILE...',
        ),
    ] = None,
    text_column: TextColumn = 'text',
    code_column: CodeColumn = 'code',
    group_column: GroupColumn = None,
    name: Annotated[
        str | None, typer.Option(help='Of what is learned; the name of the file by default.')
    ] = None,
    vintage: Vintage = 'auto',
    private: Annotated[
        bool, typer.Option('--private', help='Keep no text, only what scoring needs.')
    ] = False,
    remove: Annotated[
        list[str] | None, typer.Option(help='Take out what was learned under a name.')
    ] = None,
    show: Annotated[bool, typer.Option('--list', help='Show what the bundle has learned.')] = False,
    promote: Annotated[
        bool,
        typer.Option(
            help='Put the new bundle in use if it is better on these texts and no worse on others.'
        ),
    ] = True,
    margin: Annotated[
        float, typer.Option(help='Largest loss of accuracy on the texts of the bundle itself.')
    ] = 0.01,
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='Directory of the new bundle.')
    ] = None,
    doubtful: Annotated[
        Path | None, typer.Option(help='Write the labels that look wrong, a csv file.')
    ] = None,
    max_unknown: MaxUnknown = 0.1,
    sheet: Sheet = None,
    config_folder: Annotated[
        Path | None,
        typer.Option(help='Folder with base.yaml; its section learning says how.'),
    ] = None,
    as_json: AsJson = False,
    bundle: BundleOption = None,
) -> None:
    """Make a bundle that knows texts which are coded already."""
    from naics_embed.bundle.promotion import artifact_root, promoted_bundle
    from naics_embed.bundle.promotion import promote as put_in_use
    from naics_embed.bundle.storage import Bundle
    from naics_embed.cli.checkout import section
    from naics_embed.config.learning import LearnSettings
    from naics_embed.learning.derive import derive_bundle
    from naics_embed.learning.doubts import write_doubts
    from naics_embed.learning.place import place_of
    from naics_embed.learning.sources import LabelSource, learned_sources
    from naics_embed.search.coder import Coder

    path = bundle or promoted_bundle()
    if show:
        records = learned_sources(Bundle.load(path, verify=False).manifest)
        if as_json:
            typer.echo(json.dumps(records, indent=2))
        for record in [] if as_json else records:
            kept = 'texts are not kept' if record['private'] else 'texts are kept'
            typer.echo(
                f'{record["name"]}: {record["rows"]:,} texts of {record["codes"]} codes, {kept}, '
                f'learned {record["learned"]}'
            )
        if not records and not as_json:
            typer.echo('the bundle has learned nothing')
        return
    files = sources or []
    if not files and not remove:
        raise UserError('name a file to learn, or --remove NAME, or --list')
    if name is not None and len(files) > 1:
        raise UserError('--name is for one file; several are named after their files')
    if not 0 <= margin < 1:
        raise UserError(f'--margin must be at least 0 and below 1, not {margin}')
    check_folder(doubtful)
    columns = (text_column, code_column, group_column, None)
    add = [
        LabelSource(
            name or source_name(file),
            read_labels(file, columns, vintage, max_unknown, sheet, path),
            private,
        )
        for file in files
    ]
    coder = Coder.load(path)
    settings = section('learning', LearnSettings, config_folder)
    target = out or place_of(artifact_root(), path, add, remove or [])
    outcome = derive_bundle(
        coder,
        target,
        add=add,
        remove=remove or [],
        settings=settings,
        progress=lambda line: typer.echo(line, err=True),
    )
    accepted = outcome.accepted(margin) or not add
    if promote and accepted:
        put_in_use(artifact_root(), target, {'learned': [source.name for source in add]})
    if doubtful is not None:
        write_doubts(doubtful, outcome.doubts)
    if as_json:
        facts = {'bundle': str(target), 'promoted': promote and accepted}
        typer.echo(json.dumps({**facts, **outcome.to_dict()}, indent=2))
        return
    for line in outcome_lines(outcome):
        typer.echo(line)
    if outcome.doubts and doubtful is None:
        typer.echo(f'{len(outcome.doubts):,} labels look wrong; --doubtful FILE.csv lists them')
    state = 'in use' if promote and accepted else 'not in use'
    reason = '' if accepted else ': it is not better on these texts, or worse on others'
    typer.echo(f'bundle: {target} ({state}{reason})')


def outcome_lines(outcome: Any) -> list[str]:
    """Return what learning has changed, a line a set."""
    names = f'{"top-1 before":>13} {"after":>7} {"ECE before":>11} {"after":>7}'
    lines = [
        f'{row.name:28} {row.texts:7,} {row.top1_before:13.3f} {row.top1:7.3f} '
        f'{row.ece_before:11.3f} {row.ece:7.3f}'
        for row in outcome.sets
    ]
    return [f'{"texts":28} {"n":>7} {names}', *lines] if lines else []
