"""Stage: the table that the promotion rule picks."""

import json
from pathlib import Path

from safetensors.torch import save_file

from naics_embed.artifacts import Artifact
from naics_embed.config.refinement import PromotionConfig
from naics_embed.evaluation.candidates import promotion_rule
from naics_embed.evaluation.promotion_rule import Candidate, decide
from tasks.engine.stage import Result, StageContext
from tasks.tables import TEXT, tables_of

PROMOTABLE = (TEXT, 'smoothing', 'hgcn')
"""Tables that may become the champion, the simplest first."""


def write(
    out: Path,
    context: StageContext,
    *,
    text_model: Artifact,
    refined: Artifact,
    candidates: Artifact,
    promotion: PromotionConfig,
) -> Result:
    """Write ``table.safetensors``, the champion's tangents, and ``selection.json``, the reasons."""
    metrics = json.loads(Path(candidates.path).read_text(encoding='utf-8'))
    contenders = [Candidate(name, metrics[name]) for name in PROMOTABLE if name in metrics]
    decision = decide(contenders, promotion_rule(promotion))
    tangents = tables_of(text_model, refined)[decision.champion].contiguous()
    save_file({'tangents': tangents}, out / 'table.safetensors')
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
        facts={'champion': decision.champion, 'champion_metrics': metrics[decision.champion]},
    )
