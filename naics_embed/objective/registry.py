"""The terms that the section ``objective`` of the configuration has; a new one is a line here."""

from naics_embed.objective.anchor import Anchor
from naics_embed.objective.balance import Balance
from naics_embed.objective.cone import Cone
from naics_embed.objective.contrast import Contrast
from naics_embed.objective.distillation import Distillation
from naics_embed.objective.hierarchy import Hierarchy
from naics_embed.objective.memory import Memory
from naics_embed.objective.offset import Offset
from naics_embed.objective.placement import Placement
from naics_embed.objective.radial import Radial
from naics_embed.objective.rank import Rank
from naics_embed.objective.retrieval import Retrieval
from naics_embed.objective.stress import Stress
from naics_embed.objective.teacher import Teacher
from naics_embed.objective.term import Term

TERMS: list[type[Term]] = [
    Retrieval,
    Memory,
    Placement,
    Balance,
    Anchor,
    Distillation,
    Stress,
    Radial,
    Cone,
    Offset,
    Teacher,
    Hierarchy,
    Rank,
    Contrast,
]
"""In the order in which a step computes them."""
