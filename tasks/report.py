"""Stage: the report of the run, one HTML file."""

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile
from typing import Any

import polars as pl
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact, atomic_file, read_json
from naics_embed.config.report import ReportConfig
from naics_embed.redaction import shown_tracker
from naics_embed.report.checks import judge
from naics_embed.report.contents import CodeTable, Provenance, RunReport, StageTime, Training
from naics_embed.report.render import TEMPLATES, complete, render
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.promotion import Outcome
from tasks.stage import Record, Result, Run, Stage, StageContext

PAGE = 'report.html'
MAP = 'atlas.html'
PACKAGES = ('torch', 'transformers', 'lightning', 'polars', 'numpy', 'prefect', 'mlflow')
TAGS = {'profile': 'profile', 'git_revision': 'revision', 'library_version': 'library'}


def look() -> dict[str, Artifact]:
    """Return the templates, which are inputs: a changed look is a changed report."""
    return {'look': Artifact.of(TEMPLATES)}


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    configuration: dict[str, Any],
    curvature: float,
    source: dict[str, Any],
    training: dict[str, Any],
    effects: dict[str, float],
) -> Result:
    """Write ``report.html``; log it, and say in the facts what it concludes.

    The configuration is that of `config.describe`; its section ``report`` has the marks.
    """
    marks = ReportConfig(**configuration['report'])
    taxonomy = taxonomy_of(inputs['codebook'])
    titles = dict(frame_of(inputs['codebook']).select('code', 'title').iter_rows())
    table = CodeTable(
        taxonomy,
        [titles[code] for code in taxonomy.codes],
        (splits_of(inputs['structure_holdout'], taxonomy) == SUPERVISED).astype(bool),
        load_file(inputs['table'].path)['tangents'].double(),
        curvature,
    )
    content = {
        name: read_json(Path(inputs[name].path))
        for name in (
            'figures',
            'baselines',
            'text_history',
            'history',
            'candidates',
            'selection',
            'regression',
        )
    }
    report = RunReport(
        figures=content['figures'],
        configuration=configuration,
        provenance=Provenance(source, _facts(context), _stages(context.run)),
        table=table,
        baselines=content['baselines'],
        training=Training(content['text_history'], training['warm_epochs'], training['best_epoch']),
        refinement=content['history']['hgcn'],
        candidates=content['candidates'],
        selection=content['selection'],
        regression=content['regression'],
        predictions=pl.read_parquet(inputs['predictions'].path),
        effects=effects,
    )
    verdict = judge(report, marks)
    (out / PAGE).write_text(render(report, verdict, marks), encoding='utf-8')
    context.tracking.artifact(out / PAGE)
    return Result(
        {'report': PAGE},
        {'checks_met': float(verdict.met), 'checks': float(verdict.deciding)},
        {
            'verdict': verdict.status,
            'sentence': verdict.sentence,
            'checks': [asdict(check) for check in verdict.checks],
        },
    )


def publish_report(
    record: Record, run: Run, outcome: Outcome | None, atlas: Path | None = None
) -> Path:
    """Put the report, with what became of the table, under the artifact root; log it in MLflow.

    The interactive map is put beside it in both places, so that the link to it holds.

    Args:
        record: of the stage.
        run: the pipeline run, whose own MLflow run gets the file.
        outcome: of the promotion; None where nothing was to be promoted.
        atlas: page of the interactive map; None where there is none.

    Returns:
        the file, which the next run under this root replaces.
    """
    html = complete(
        record.path('report').read_text(encoding='utf-8'),
        promotion=None if outcome is None else asdict(outcome),
        map_href=None if atlas is None else MAP,
    )
    page = run.root / PAGE
    with atomic_file(page) as temporary:
        temporary.write_text(html, encoding='utf-8')
    run.tracker.pipeline().artifact(page)
    if atlas is not None:
        with atomic_file(run.root / MAP) as temporary:
            copyfile(atlas, temporary)
        run.tracker.pipeline().artifact(run.root / MAP)
    return page


def _facts(context: StageContext) -> dict[str, str]:
    tracker = context.run.tracker
    tags = tracker.client.get_run(tracker.parent_run_id).data.tags
    return {
        **{name: tags[tag] for tag, name in TAGS.items() if tag in tags},
        'computed': datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC'),
        'MLflow run': f'{tracker.parent_run_id} in {shown_tracker(tracker.uri)}',
        'Python': platform.python_version(),
        'packages': ', '.join(f'{name} {version(name)}' for name in PACKAGES),
        'machine': f'{platform.system()} {platform.machine()}',
    }


def _stages(run: Run) -> list[StageTime]:
    return [
        StageTime(name, record.key, record.seconds, record.cached)
        for name, record in run.done.items()
    ]


report = Stage('report', write, ('naics_embed.report.render', 'naics_embed.report.checks'))
