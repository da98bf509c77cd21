"""The learn flow: labelled texts from files and reviewed batches into a bundle that knows them."""

from pathlib import Path
from typing import Any

from flows.checked import Text, checked_flow
from flows.configuration import artifact_root, configured
from flows.tracked_run import tracked_run
from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.bundle.storage import Bundle
from naics_embed.errors import UserError
from naics_embed.learning.labelled import Columns
from naics_embed.learning.source_names import batch_named, source_name
from tasks.learning import LabelFiles, learn_labels, promote_if_better
from tasks.review_store import store_under


@checked_flow(name='learn', flow_run_name='learn', retries=0)
def learn(
    sources: list[Text],
    text_column: str = 'text',
    code_column: str = 'code',
    group_column: str | None = None,
    names: list[str] | None = None,
    private: bool = False,
    remove: list[str] | None = None,
    table: str | None = None,
    vintage: str = 'auto',
    max_unknown: float = 0.1,
    sheet: str | None = None,
    promote: bool = True,
    margin: float = 0.01,
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    config_folder: str | None = None,
) -> dict[str, Any]:
    """Derive a bundle that knows texts which are coded already, and put it in use if it is better.

    A source of the same name takes the place of the earlier one, so that a schedule may read the
    same file again and again.

    Args:
        sources: tables with texts and their codes; ``review:NAME`` for the decisions of a batch of
            the review; none to take something out only.
        text_column: the column of descriptions.
        code_column: the column of codes, of 2 to 6 digits.
        group_column: a column that is the same for texts of one firm.
        names: of the sources; names of the files and batches where None.
        private: whether no text is kept or logged, only what scoring needs.
        remove: names of sources to take out.
        table: directory of the bundle to start from; the promoted one where None.
        vintage: of the codes: 2012, 2017, 2022, or ``auto``, which finds out.
        max_unknown: largest fraction of rows whose code may be unknown.
        sheet: of workbooks; the first one where None.
        promote: whether a bundle that is better is put in use.
        margin: largest loss of accuracy on the texts of the bundle itself.
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``promotion.model=naics-embed``.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
    """
    config = configured(config_folder, profile, overrides)
    root = artifact_root(config)
    if not sources and not remove:
        raise UserError('name files to learn in sources, or sources to take out in remove')
    if names is not None and len(names) != len(sources):
        raise UserError(f'{len(names)} names for {len(sources)} sources; give one for each')
    if not 0 <= margin < 1:
        raise UserError(f'margin must be at least 0 and below 1, not {margin}')
    bundle = Bundle.load(Path(table) if table else promoted_bundle(root), verify=False)
    path = bundle.path.resolve()
    batches = [source for source in sources if batch_named(source) is not None]
    files = LabelFiles(
        tuple(source if source in batches else str(Path(source).absolute()) for source in sources),
        tuple(names or map(source_name, sources)),
        Columns(text_column, code_column, group_column),
        int(vintage) if vintage.isdigit() else vintage,
        max_unknown,
        sheet,
        private,
        store_under(root, config.review) if batches else None,
    )
    params = {
        'sources': ', '.join(files.sources),
        'names': ', '.join(files.names),
        'remove': ', '.join(remove or []),
        'private': private,
        'margin': margin,
        'vintage': vintage,
        'bundle': str(path),
    }
    with tracked_run(config, profile, params, name='learn') as tracker:
        out, outcome = learn_labels(tracker, root, path, files, remove or [], config.learning)
        summary: dict[str, Any] = {
            'bundle': str(out),
            'promoted': False,
            'promotion': 'not asked for',
            'run_id': tracker.parent_run_id,
            'tracking_uri': tracker.uri,
            **outcome.to_dict(),
        }
        if promote:
            start = None if table else path
            done = promote_if_better(
                tracker, root, start, out, outcome, margin, config.promotion.model
            )
            summary |= {'promoted': done.promoted, 'promotion': done.reason}
        return summary
