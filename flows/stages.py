"""Flows of single stages, for deployments: each is the pipeline up to that stage."""

from typing import Any

from flows.checked import Text, checked_flow
from flows.pipeline import pipeline


@checked_flow(name='data', flow_run_name='data-{profile}')
def data(
    profile: str = 'cpu', overrides: list[Text] | None = None, refresh: list[str] | None = None
) -> dict[str, Any]:
    """Build the data: codebook, redirections, roles, relations, distances, triplets.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``data.source=folder``.
        refresh: stages to compute again although they are cached, and all that depend on them.
    """
    return pipeline.fn(profile, overrides, 'data', refresh)


@checked_flow(name='text-training', flow_run_name='text-training-{profile}')
def text_training(
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    refresh: list[str] | None = None,
    resume: str = 'auto',
    parent_run: str | None = None,
) -> dict[str, Any]:
    """Train the text model, after the stages it depends on.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``training.epochs=3``.
        refresh: stages to compute again although they are cached, and all that depend on them.
        resume: ``auto``, ``last``, ``never`` or the path of a checkpoint.
        parent_run: MLflow run under which this one is nested.
    """
    return pipeline.fn(profile, overrides, 'text_training', refresh, resume, parent_run=parent_run)


@checked_flow(name='refine', flow_run_name='refine-{profile}')
def refine(
    profile: str = 'cpu', overrides: list[Text] | None = None, refresh: list[str] | None = None
) -> dict[str, Any]:
    """Refine the trained table over the graph, after the stages it depends on.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``runtime.seed=1``.
        refresh: stages to compute again although they are cached, and all that depend on them.
    """
    return pipeline.fn(profile, overrides, 'refinement', refresh)


@checked_flow(name='evaluate', flow_run_name='evaluate-{profile}')
def evaluate(
    profile: str = 'cpu', overrides: list[Text] | None = None, refresh: list[str] | None = None
) -> dict[str, Any]:
    """Evaluate the trained table, after the stages it depends on.

    Args:
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``evaluation.compared=[bm25]``.
        refresh: stages to compute again although they are cached, and all that depend on them.
    """
    return pipeline.fn(profile, overrides, 'evaluation', refresh)
