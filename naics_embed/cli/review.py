"""The commands ``review``: batches that people and the coder code together."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.cli import review_exchange, review_users
from naics_embed.cli.groups import GroupedCommands
from naics_embed.cli.progress import rows_done
from naics_embed.cli.review_options import (
    BatchName,
    ConfigFolder,
    StoreOption,
    open_store,
    review_config,
)
from naics_embed.cli.search import BundleOption
from naics_embed.cli.serve import LOG_FORMAT
from naics_embed.cli.user_tables import table_read
from naics_embed.errors import UserError

app = typer.Typer(
    cls=GroupedCommands,
    no_args_is_help=True,
    rich_markup_mode=None,
    help='Let people decide what the coder cannot.',
)
app.add_typer(review_users.app, name='user')
app.command('export')(review_exchange.export)
app.command('import')(review_exchange.import_decisions)
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


@app.command()
def create(
    source: Annotated[
        str,
        typer.Argument(
            help='A table of any format that `code` reads, or an address of one.', metavar='FILE'
        ),
    ],
    name: Annotated[str, typer.Option(help='Of the batch.')],
    text_column: Annotated[
        list[str] | None, typer.Option(help='The column of descriptions, or several; as `code`.')
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help='Weight of a text column, as COLUMN=WEIGHT.')
    ] = None,
    show_column: Annotated[
        list[str] | None, typer.Option(help='A further column that reviewers see.')
    ] = None,
    exposure_column: Annotated[
        str | None, typer.Option(help='What depends on the code of a row, such as a premium.')
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help='Least probability of a row that is accepted.')
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help='In place of a threshold: accuracy wanted of the accepted rows.'),
    ] = None,
    audit_fraction: Annotated[
        float | None, typer.Option(help='Part of the accepted rows that people check.')
    ] = None,
    double_fraction: Annotated[
        float | None, typer.Option(help='Part of the rows for people that two decide, blind.')
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help='uncertainty, exposure, disagreement, random or diverse.'),
    ] = None,
    seed: Annotated[int, typer.Option(help='Of all draws.')] = 0,
    webhook: Annotated[
        str | None, typer.Option(help='Address that is told when the batch closes.')
    ] = None,
    sheet: Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')] = None,
    part_rows: Annotated[int, typer.Option(help='Rows coded and saved at a time.')] = 512,
    restart: Annotated[
        bool, typer.Option('--restart', help='Begin a batch again that is not complete.')
    ] = False,
    store: StoreOption = None,
    bundle: BundleOption = None,
    config_folder: ConfigFolder = None,
    as_json: AsJson = False,
) -> None:
    """Code a file, accept what is probable enough, and queue the rest for people."""
    from naics_embed.bundle.promotion import promoted_bundle

    config, _ = review_config(config_folder)
    if threshold is not None and target is not None:
        raise UserError('give --threshold or --target, not both')
    path = bundle or promoted_bundle()
    opened = open_store(store, config)
    from naics_embed.review.create import create_batch
    from naics_embed.review.plan import Plan, open_source
    from naics_embed.review.webhook import check_webhook
    from naics_embed.search.text_columns import text_columns
    from naics_embed.tabular.counting import rows_about
    from naics_embed.tabular.open import ReadOptions

    if webhook is not None:
        check_webhook(webhook)
    with table_read(source, None, None) as file:
        plan = Plan(
            name,
            file,
            text_columns(text_column or ['text'], weight or []),
            tuple(show_column or ()),
            exposure_column,
            config.threshold if threshold is None else threshold,
            target,
            config.audit_fraction if audit_fraction is None else audit_fraction,
            config.double_fraction if double_fraction is None else double_fraction,
            order or config.order,
            seed,
            config.suggestions,
            config.evidence,
            webhook,
            part_rows,
            ReadOptions(sheet=sheet),
        )
        table = open_source(plan)
        from naics_embed.search.coder import Coder

        coder = Coder.load(path)
        with rows_done(rows_about(table)) as report:
            made = create_batch(opened, coder, plan, restart=restart, report=report, table=table)
    if as_json:
        typer.echo(json.dumps(asdict(made), indent=2))
        return
    at = 'none' if made.threshold is None else f'probability {made.threshold:.3f} or more'
    typer.echo(f'{name}: {made.rows:,} rows of {Path(source).name}')
    typer.echo(f'accepted automatically ({at}): {made.automatic + made.audit:,}')
    typer.echo(f'for people: {made.people:,}, and an audit of {made.audit:,} accepted ones')
    typer.echo(f'decided by two: {made.double:,}; without a text: {made.unreadable:,}')


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(help='Name of the batch; all by default.', metavar='NAME')
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Show how far batches are, and what audit and double coding say."""
    opened = open_store(store)
    from naics_embed.review.batches import all_batches, known_batch
    from naics_embed.review.status import batch_status, status_lines

    def read(connection: Any) -> list[dict[str, Any]]:
        found = all_batches(connection) if name is None else [known_batch(connection, name)]
        return [batch_status(connection, batch) for batch in found]

    found = opened.read(read)
    if as_json:
        typer.echo(json.dumps(found if name is None else found[0], indent=2))
        return
    for facts in found:
        for line in status_lines(facts):
            typer.echo(line)
    if not found:
        typer.echo(f'there is no batch in {opened.shown}; `review create` makes one')


@app.command()
def close(
    name: BatchName,
    force: Annotated[
        bool, typer.Option('--force', help='Although items are open or in conflict.')
    ] = False,
    store: StoreOption = None,
    config_folder: ConfigFolder = None,
) -> None:
    """Close a batch, and tell its webhook; again, to tell it once more."""
    config, _ = review_config(config_folder)
    opened = open_store(store, config)
    from naics_embed.review.batches import close as close_batch
    from naics_embed.review.closing import tell_closed

    batch = opened.write(lambda connection: close_batch(connection, name, force=force))
    typer.echo(f'{name} is closed')
    delivery = tell_closed(opened, batch, config)
    if delivery is None:
        return
    if not delivery.delivered:
        raise UserError(
            f'{name} is closed, but its webhook was not told ({delivery.reason}, '
            f'{delivery.tries} tries); run `review close {name}` again to tell it'
        )
    typer.echo(f'its webhook is told (tries: {delivery.tries})')


@app.command()
def assign(
    name: BatchName,
    user: Annotated[
        str | None, typer.Argument(help='Who gets the items; nobody in particular without.')
    ] = None,
    count: Annotated[int | None, typer.Option(help='How many, the next ones; all by default.')] = (
        None
    ),
    code: Annotated[
        list[str] | None,
        typer.Option(help='Only items whose first suggestion begins with these digits.'),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Keep open items of a batch for a reviewer."""
    if count is not None and count < 1:
        raise UserError(f'--count must be at least 1, not {count}')
    opened = open_store(store)
    from naics_embed.review.batches import assign as assign_items

    chosen = tuple(code or ())
    number = opened.write(
        lambda connection: assign_items(connection, name, user, count=count, codes=chosen)
    )
    whose = f'are kept for {user}' if user else 'are for everybody'
    typer.echo(f'{number:,} items of {name} {whose}')


@app.command()
def serve(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help='Settings, as review.key=value or service.key=value.', metavar='KEY=VALUE'
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help='Address; loopback by default.')] = None,
    port: Annotated[int | None, typer.Option(help='Port; 0 for any that is free.')] = None,
    coder: Annotated[
        bool, typer.Option(help='Whether the search finds codes for descriptions too.')
    ] = True,
    root_path: Annotated[str, typer.Option(help='Path prefix under which a proxy serves it.')] = '',
    store: StoreOption = None,
    bundle: BundleOption = None,
    config_folder: ConfigFolder = None,
) -> None:
    """Serve the page on which reviewers decide."""
    sections = ('review.', 'service.')
    foreign = [item for item in overrides or [] if not item.startswith(sections)]
    if foreign:
        raise UserError(f'{foreign[0]!r} is no setting of the review: give review.key=value')
    config, service = review_config(config_folder, overrides)
    config = replace(
        config,
        host=config.host if host is None else host,
        port=config.port if port is None else port,
    )
    opened = open_store(store, config)
    from naics_embed.bundle.promotion import artifact_root, promotion_record
    from naics_embed.review.serving import run_review

    path = bundle
    if path is None and coder:
        record = promotion_record(artifact_root())
        path = None if record is None else artifact_root() / record['bundle']
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    run_review(opened, config, service, path if coder else None, root_path)
