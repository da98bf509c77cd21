"""The pipeline: its stages from top to bottom, and the flow that computes them.

A stage depends on whatever writes what it reads. ``naics-embed graph`` draws it.
"""

import os
import time
from dataclasses import asdict
from typing import Any

import torch

from flows.checked import Text, checked_flow
from flows.configuration import artifact_root, configured, for_another_host
from flows.inputs import GIVEN, inputs_of
from flows.publish import describe_run, publish
from flows.routing import Request, senders
from flows.runtime import show_progress
from flows.tracked_run import remote_cache, tracked_run
from naics_embed.atlas.page import STATIC as MAP_PAGE
from naics_embed.config.sections import flat
from naics_embed.data.plain_language import (
    BUSINESS_FILE,
    CORPUS_FILE,
    GROUP_FILE,
    PANEL_FILE,
    data_file,
)
from naics_embed.errors import ConfigError
from naics_embed.report.environment import TEMPLATES
from naics_embed.training.resume import check_resume
from tasks import (
    atlas,
    baselines,
    candidates,
    codebook,
    coder,
    construction,
    distances,
    encoding,
    evaluation,
    export,
    index_roles,
    labelled,
    queries,
    query_points,
    redirections,
    refinement,
    regression,
    relations,
    report,
    selection,
    structure_holdout,
    text_training,
    tokens,
    triplets,
)
from tasks.engine.execution import Execution
from tasks.engine.graph import Graph
from tasks.engine.stage import Run, Stage
from tasks.source import acquire_source

PLAIN_LANGUAGE = tuple(map(data_file, (CORPUS_FILE, PANEL_FILE, BUSINESS_FILE, GROUP_FILE)))

# Codes, texts, kinship.
DATA = (
    Stage('codebook', codebook.write, 'source source_kind edition', 'codebook'),
    Stage(
        'redirections', redirections.write, 'source source_kind edition codebook', 'redirections'
    ),
    Stage(
        'labelled',
        labelled.write,
        reads='source source_kind edition codebook redirections labelled_files',
        writes='labelled',
        settings='columns=data.labelled.without_files roles=data.roles seed=runtime.seed',
        resources=PLAIN_LANGUAGE,
    ),
    Stage(
        'index_roles',
        index_roles.write,
        reads='source source_kind edition codebook redirections labelled',
        writes='index_entries',
        settings='roles=data.roles seed=runtime.seed',
        resources=PLAIN_LANGUAGE,
    ),
    Stage(
        'structure_holdout',
        structure_holdout.write,
        reads='codebook',
        writes='structure_holdout',
        settings='fraction=data.roles.structure_holdout seed=runtime.seed',
    ),
    Stage('relations', relations.write, 'codebook', 'relations'),
    Stage('distances', distances.write, 'codebook', 'distances'),
    Stage(
        'triplets',
        triplets.write,
        reads='codebook redirections structure_holdout',
        writes='triplets',
        settings='triplets=triplets',
    ),
)

# Labelled texts, and what the frozen backbone makes of them.
TEXTS = (
    Stage(
        'queries',
        queries.write,
        reads='edition codebook redirections index_entries labelled',
        writes='queries channels',
        settings='uses=data.plain_language switches=training.queries',
        resources=PLAIN_LANGUAGE,
    ),
    Stage(
        'tokens',
        tokens.write,
        reads='queries channels index_entries backbone',
        writes='tokens',
        settings='window=backbone.window used=model.channels',
    ),
    Stage(
        'encoding',
        encoding.write,
        reads='tokens backbone',
        writes='encoding',
        settings='frozen_layers=backbone.frozen_layers batch_tokens=backbone.batch_tokens',
    ),
)

TRAINING = (
    Stage(
        'construction',
        construction.write,
        reads='codebook structure_holdout queries tokens encoding',
        writes='construction',
        settings=(
            'construction=construction dim=model.dim curvature=model.curvature seed=runtime.seed'
        ),
    ),
    Stage(
        'baselines',
        baselines.write,
        reads='codebook structure_holdout queries channels index_entries tokens encoding',
        writes='baselines',
        settings=(
            'compared=evaluation.compared fitting=evaluation.baselines jaccard=data.roles.jaccard'
        ),
    ),
    Stage(
        'text_training',
        text_training.write,
        reads=(
            'codebook structure_holdout queries channels tokens encoding construction redirections '
            'backbone'
        ),
        writes='text_model',
        facts='curvature temperature head_only_epochs best_epoch',
        settings=(
            'model=model objective=objective curriculum=curriculum training=training '
            'shrink=construction.shrink frozen_layers=backbone.frozen_layers '
            'batch_tokens=backbone.batch_tokens seed=runtime.seed'
        ),
    ),
    Stage(
        'query_points',
        query_points.write,
        reads='codebook structure_holdout queries text_model curvature',
        writes='query_points',
        settings=(
            'window=backbone.window train_queries=graph.anchor_queries r_max=model.r_max '
            'batch_tokens=backbone.batch_tokens seed=runtime.seed'
        ),
    ),
)

# The table refined over the graph of the taxonomy, and the one that the rule picks.
REFINEMENT = (
    Stage(
        'refinement',
        refinement.write,
        reads=(
            'codebook structure_holdout queries redirections triplets text_model query_points '
            'curvature temperature'
        ),
        writes='refined refinement_history',
        settings='graph=graph seed=runtime.seed',
    ),
    Stage(
        'candidates',
        candidates.write,
        reads=(
            'codebook structure_holdout queries tokens encoding text_model query_points curvature '
            'refined'
        ),
        writes='candidates',
        settings=(
            'evaluation=evaluation regression=regression.without_outcomes '
            'shrink=construction.shrink r_max=model.r_max jaccard=data.roles.jaccard'
        ),
    ),
    Stage(
        'selection',
        selection.write,
        reads='text_model refined candidates',
        writes='table selection',
        facts='champion champion_metrics',
        settings='promotion=promotion.between_tables',
    ),
)

EVALUATION = (
    Stage(
        'evaluation',
        evaluation.write,
        reads='codebook structure_holdout queries query_points baselines table curvature',
        writes='table_metrics',
        settings='evaluation=evaluation r_max=model.r_max jaccard=data.roles.jaccard',
    ),
    Stage(
        'regression',
        regression.write,
        reads='codebook queries tokens encoding table outcomes',
        writes='regression',
        settings='regression=regression.without_outcomes',
    ),
    Stage(
        'coder',
        coder.write,
        reads=(
            'codebook structure_holdout queries channels tokens encoding index_entries '
            'redirections backbone text_model query_points table baselines table_metrics curvature '
            'temperature'
        ),
        writes='coder metrics predictions',
        facts='effects',
        settings='coder=coder fitting=evaluation.baselines jaccard=data.roles.jaccard',
    ),
)

# What people open: the map, the bundle that search and coding load, the report.
BUNDLE = (
    Stage(
        'atlas',
        atlas.write,
        reads='codebook table curvature',
        writes='disk atlas',
        settings='atlas=atlas',
        resources=(MAP_PAGE,),
    ),
    Stage(
        'export',
        export.write,
        reads=(
            'codebook structure_holdout text_model table metrics coder disk curvature temperature '
            'champion source_description configuration'
        ),
        writes='bundle',
        settings='dim=model.dim r_max=model.r_max',
    ),
    Stage(
        'report',
        report.write,
        reads=(
            'codebook structure_holdout table text_model refinement_history candidates selection '
            'baselines regression metrics predictions curvature head_only_epochs best_epoch '
            'effects source_description configuration'
        ),
        writes='report',
        facts='verdict sentence checks',
        resources=(TEMPLATES,),
    ),
)

PIPELINE = Graph(
    *DATA,
    *TEXTS,
    *TRAINING,
    *REFINEMENT,
    *EVALUATION,
    *BUNDLE,
    given=GIVEN,
)

STAGES = PIPELINE.names
TARGETS = {
    'all': STAGES,
    'data': tuple(stage.name for stage in DATA),
    'ground_truth': (*(stage.name for stage in DATA), 'queries'),
    **{name: (name,) for name in STAGES},
}
"""What a run may be asked for → the stages that it computes, with all that they depend on."""


@checked_flow(name='pipeline', flow_run_name='pipeline-{profile}-{target}', retries=0)
def pipeline(
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    target: str = 'all',
    refresh: list[str] | None = None,
    resume: str = 'auto',
    config_folder: str | None = None,
    parent_run: str | None = None,
) -> dict[str, Any]:
    """Run the stages up to a target and return a summary.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``training.epochs=3``.
        target: ``all``, ``data``, ``ground_truth`` (data and labelled texts), or the last stage
            to compute.
        refresh: stages to compute again although they are cached, and all that depend on them.
        resume: ``auto``, ``last``, ``never`` or the path of a checkpoint, for text training.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
        parent_run: MLflow run under which this one is nested.
    """
    start = time.perf_counter()
    check_names('target', [target], tuple(TARGETS))
    check_names('refresh', refresh or [], STAGES)
    show_progress()
    config = configured(config_folder, profile, overrides)
    config.check_pipeline()
    check_names('platform.routes', list(config.platform.routes), STAGES)
    if 'text_training' not in config.platform.routes:
        check_resume(resume)
    torch.set_num_threads(config.runtime.threads or os.cpu_count() or 1)
    root = artifact_root(config)
    name = 'pipeline' if target == 'all' else target
    with tracked_run(config, profile, flat(config), name=name, parent=parent_run) as tracker:
        sent = for_another_host(overrides, config, root)
        run = Run(
            root,
            tracker,
            frozenset(refresh or ()),
            resume,
            config.tracking.experiment,
            remote_cache=remote_cache(config),
            timeout_s=config.platform.stage_timeout_s,
            routes=senders(
                config.platform.routes, Request(profile, sent, resume, tracker.parent_run_id)
            ),
            stages=len(PIPELINE.needed(TARGETS[target])),
        )
        source = acquire_source(config.data)
        describe_run(tracker, config, source)
        parallel = config.runtime.stages_at_a_time(os.cpu_count() or 1)
        execution = Execution(PIPELINE, config, run, inputs_of(config, source), parallel)
        execution.compute(TARGETS[target])
        summary = publish(execution, source, time.perf_counter() - start)
    return asdict(summary)


def check_names(option: str, names: list[str], allowed: tuple[str, ...]) -> None:
    """Raise ConfigError for a name that is not allowed."""
    for name in names:
        if name not in allowed:
            raise ConfigError(f'{option}: no stage {name!r}; choose from {", ".join(allowed)}')
