"""Stage: every candidate table on validation, and which of them the rule picks."""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from naics_embed.artifacts import Artifact
from naics_embed.config.evaluation import EvaluationConfig
from naics_embed.config.model import ModelConfig
from naics_embed.config.refinement import PromotionConfig, RegressionConfig
from naics_embed.evaluation.candidates import VALIDATION, candidate_figures, promotion_rule
from naics_embed.evaluation.evaluate import Table
from naics_embed.evaluation.promotion_rule import Candidate, decide
from naics_embed.evaluation.queries import query_groups
from naics_embed.metrics.tree import Tree
from tasks.frames import SUPERVISED, frame_of, splits_of, taxonomy_of
from tasks.query_points import PointTable
from tasks.regression import outcomes_of, panel_of
from tasks.stage import Result, Stage, StageContext

TEXT = 'text'
PROMOTABLE = (TEXT, 'smoothing', 'hgcn')
"""Tables that may become the champion, the simplest first."""


def write_candidates(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    model: ModelConfig,
    evaluation: EvaluationConfig,
    regression: RegressionConfig,
    shrink: float,
    jaccard: float,
) -> Result:
    """Write ``candidates.json``: name of a table → its figures on validation.

    Tables are the text table, those of ``refined`` where it is among the inputs, and where
    ``construction`` is, the construction as the text stage starts from it, its tangents times
    ``shrink``; hidden codes then lie where the text table has them.
    """
    taxonomy = taxonomy_of(inputs['codebook'])
    structure = splits_of(inputs['structure_holdout'], taxonomy)
    tree = Tree.of(taxonomy)
    table = PointTable(inputs)
    groups = query_groups(
        frame_of(inputs['queries']), taxonomy, structure, jaccard=jaccard, splits=(VALIDATION,)
    )
    points = [table.of(group.texts) for group in groups]
    hidden = torch.from_numpy((structure != SUPERVISED).astype(bool))
    tables = _tables(inputs)
    if 'construction' in inputs:
        built = load_file(inputs['construction'].path)['supervised'] * shrink
        tables['construction'] = torch.where(hidden[:, None], tables[TEXT], built)
    outcomes = outcomes_of(inputs, taxonomy, tree, regression)
    figures = {
        name: candidate_figures(
            Table(tangents, model.curvature, model.r_max, tuple(structure)),
            groups,
            points,
            tree,
            outcomes,
            panel_of(regression),
            family_level=regression.family_level,
            norm_weights=evaluation.norm_weights,
            chunk=evaluation.chunk,
        )
        for name, tangents in tables.items()
    }
    plain = {
        name: {key: value if math.isfinite(value) else None for key, value in found.items()}
        for name, found in figures.items()
    }
    (out / 'candidates.json').write_text(json.dumps(plain, indent=2), encoding='utf-8')
    context.tracking.artifact(out / 'candidates.json')
    logged = {
        f'{name}.{key.replace("/", ".")}': value
        for name, found in figures.items()
        for key, value in found.items()
        if not key.endswith('_se')
    }
    return Result({'candidates': 'candidates.json'}, logged)


def write_selection(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    promotion: PromotionConfig,
) -> Result:
    """Write ``table.safetensors``, the champion's tangents, and ``selection.json``, the reasons."""
    figures = json.loads(Path(inputs['candidates'].path).read_text(encoding='utf-8'))
    candidates = [Candidate(name, figures[name]) for name in PROMOTABLE if name in figures]
    decision = decide(candidates, promotion_rule(promotion))
    save_file(
        {'tangents': _tables(inputs)[decision.champion].contiguous()}, out / 'table.safetensors'
    )
    rows = decision.rows()
    verdicts = [
        {
            'incumbent': verdict.incumbent,
            'challenger': verdict.challenger,
            'wins': verdict.wins,
            'reason': verdict.reason,
        }
        for verdict in decision.verdicts
    ]
    content = {'champion': decision.champion, 'verdicts': verdicts, 'comparisons': rows}
    (out / 'selection.json').write_text(json.dumps(content, indent=2), encoding='utf-8')
    context.tracking.artifact(out / 'selection.json')
    return Result(
        {'table': 'table.safetensors', 'selection': 'selection.json'},
        facts={'champion': decision.champion, 'figures': figures[decision.champion]},
    )


def _tables(inputs: dict[str, Artifact]) -> dict[str, torch.Tensor]:
    text = load_file(Path(inputs['model'].path) / 'tables.safetensors')['tangents'].double()
    refined = load_file(inputs['refined'].path) if 'refined' in inputs else {}
    return {TEXT: text, **refined}


candidates = Stage(
    'candidates',
    write_candidates,
    ('naics_embed.evaluation.candidates', 'naics_embed.evaluation.regression'),
)
selection = Stage('selection', write_selection, ('naics_embed.evaluation.candidates',))
