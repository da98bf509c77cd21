"""Commands that run flows; they join ``naics-embed`` by an entry point (`naics_embed.cli`)."""

import enum
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import stages, tools
from flows.cli.code_batch import code_batch
from flows.cli.options import Overrides, Profile, Quiet
from flows.cli.running import summary_of
from naics_embed.cli.groups import Group
from naics_embed.errors import UserError

app = typer.Typer(no_args_is_help=True)
app.command(rich_help_panel=Group.INSPECT)(tools.diff)
app.command(rich_help_panel=Group.INSPECT)(tools.visualize)
app.command('run', rich_help_panel=Group.TRAIN)(stages.up_to('all', 'Run the whole pipeline.'))
app.command(rich_help_panel=Group.TRAIN)(stages.data)
app.command(rich_help_panel=Group.TRAIN)(stages.train)
app.command('evaluate', rich_help_panel=Group.TRAIN)(
    stages.up_to('evaluation', 'Evaluate the trained table, after the stages it depends on.')
)
app.command('bundle', rich_help_panel=Group.TRAIN)(
    stages.up_to('export', 'Export the trained table with its encoder as a bundle, and promote it.')
)
app.command('refine', rich_help_panel=Group.TRAIN)(
    stages.up_to(
        'refinement',
        'Refine the trained table over the taxonomy graph, after the stages it depends on.',
    )
)


class GraphFormat(enum.StrEnum):
    """Formats of ``naics-embed graph``."""

    MERMAID = 'mermaid'
    JSON = 'json'


@app.command(rich_help_panel=Group.INSPECT)
def graph(
    graph_format: Annotated[
        GraphFormat, typer.Option('--format', help='Of the graph.')
    ] = GraphFormat.MERMAID,
) -> None:
    """Print the graph of the pipeline's stages, from what they declare."""
    from flows.runtime import prepare

    prepare(quiet=True)
    from flows.pipeline import PIPELINE

    if graph_format is GraphFormat.JSON:
        sys.stdout.write(json.dumps(PIPELINE.to_dict(), indent=2) + '\n')
    else:
        sys.stdout.write(PIPELINE.mermaid())


app.command(rich_help_panel=Group.TRAIN)(stages.regress)
app.command(rich_help_panel=Group.USE)(code_batch)


@app.command(rich_help_panel=Group.INSPECT)
def investigate(
    overrides: Overrides = None,
    profile: Profile = 'cpu',
    sample: Annotated[
        int, typer.Option(help='Quadruples of codes that test whether D* is a tree metric.')
    ] = 100_000,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
    quiet: Quiet = False,
) -> None:
    """Build the data, describe it, and check that the ground truth is sound."""
    summary = summary_of('ground_truth', profile, overrides, None, 'auto', quiet=quiet or as_json)
    from naics_embed.audit.data_files import DataFiles
    from naics_embed.audit.ground_truth import investigate as checked

    files = [stage['files'] for stage in summary['stages'].values()]
    paths = {name: Path(path) for stage in files for name, path in stage.items()}
    content = checked(DataFiles.read(paths), sample=sample, seed=0).to_dict()
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + '\n')
    else:
        tools.print_ground_truth(content)
    if not content['sound']:
        raise typer.Exit(1)


@app.command(rich_help_panel=Group.OPERATE)
def promote(
    bundle: Annotated[Path | None, typer.Argument(help='Directory of a bundle.')] = None,
    back: Annotated[
        bool, typer.Option('--rollback', help='Go back to the previous bundle.')
    ] = False,
    root: Annotated[
        Path | None, typer.Option(help='Artifact root; $NAICS_EMBED_HOME or artifacts by default.')
    ] = None,
) -> None:
    """Use this bundle from now on, whatever its metrics; or with --rollback the previous one."""
    if back == (bundle is not None):
        raise UserError('give either the directory of a bundle, or --rollback')
    from flows.runtime import prepare

    prepare(quiet=True)
    from naics_embed.bundle.promotion import artifact_root
    from tasks.registry.promotion import promote_bundle, roll_back

    folder = root or artifact_root()
    record = roll_back(folder) if bundle is None else promote_bundle(folder, bundle)
    registry = record.get('registry')
    where = f'; in MLflow, {registry["model"]} version {registry["version"]}' if registry else ''
    typer.echo(f'in use: {folder / record["bundle"]}{where}', err=True)
