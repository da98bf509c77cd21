"""Stage: the report of the run, one HTML file."""

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from safetensors.torch import load_file

from naics_embed.artifacts import Artifact, read_json
from naics_embed.config.report import ReportConfig
from naics_embed.redaction import shown_tracker
from naics_embed.report.contents import CodeTable, Provenance, RunReport, StageTime, Training
from naics_embed.report.render import render
from naics_embed.report.verdict import judge
from tasks.engine.stage import Result, Run, StageContext
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of

PAGE = 'report.html'
PACKAGES = ('torch', 'transformers', 'lightning', 'polars', 'numpy', 'prefect', 'mlflow')
TAGS = {'profile': 'profile', 'git_revision': 'revision', 'library_version': 'library'}


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    structure_holdout: Artifact,
    table: Artifact,
    text_model: Artifact,
    refinement_history: Artifact,
    candidates: Artifact,
    selection: Artifact,
    baselines: Artifact,
    regression: Artifact,
    metrics: Artifact,
    predictions: Artifact,
    curvature: float,
    head_only_epochs: int,
    best_epoch: int,
    effects: dict[str, float],
    source_description: dict[str, Any],
    configuration: dict[str, Any],
) -> Result:
    """Write ``report.html``; log it, and return its verdict in the facts.

    The configuration is that of `config.describe`; its section ``report`` has the marks.
    """
    marks = ReportConfig(**configuration['report'])
    taxonomy = taxonomy_of(codebook)
    titles = dict(frame_of(codebook).select('code', 'title').iter_rows())
    codes = CodeTable(
        taxonomy,
        [titles[code] for code in taxonomy.codes],
        (splits_of(structure_holdout, taxonomy) == SUPERVISED).astype(bool),
        load_file(table.path)['tangents'].double(),
        curvature,
    )
    read = {
        name: read_json(Path(file.path))
        for name, file in {
            'metrics': metrics,
            'baselines': baselines,
            'refinement': refinement_history,
            'candidates': candidates,
            'selection': selection,
            'regression': regression,
        }.items()
    }
    history = read_json(Path(text_model.path) / 'history.json')
    report = RunReport(
        metrics=read['metrics'],
        configuration=configuration,
        provenance=Provenance(source_description, _facts(context), _stages(context.run)),
        table=codes,
        baselines=read['baselines'],
        training=Training(history, head_only_epochs, best_epoch),
        refinement=read['refinement']['hgcn'],
        candidates=read['candidates'],
        selection=read['selection'],
        regression=read['regression'],
        predictions=pl.read_parquet(predictions.path),
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
