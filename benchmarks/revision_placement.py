"""Ways to place the new codes of a revision in a table that was trained before it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.revision_data import AFTER, Revision
from benchmarks.revision_network import Known, Network, by_ridge
from naics_embed.geometry.lorentz import exp0, geodesic, log0
from naics_embed.search.classification_points import classification_points
from naics_embed.text.placement import at_level_radius

RIDGE = 'A ridge'
TEXT = 'B text alone'
TEXT_AT_RADIUS = 'B text, radius of its level'
NETWORK = 'C graph network'
PREDECESSORS = 'D predecessors'
PREDECESSORS_AT_RADIUS = 'D predecessors, radius of their level'
BETWEEN = 'A and D, midpoint, radius of the level'
NETWORK_BETWEEN = 'C and D, midpoint, radius of the level'
WAYS = (
    RIDGE,
    TEXT,
    TEXT_AT_RADIUS,
    PREDECESSORS,
    PREDECESSORS_AT_RADIUS,
    BETWEEN,
    NETWORK,
    NETWORK_BETWEEN,
)
"""The way of the pipeline first, then the simpler before the more complex ones."""
HALF = 0.5


def placements(
    one: Revision, known: Known, by_text: Tensor, network: Network
) -> Mapping[str, Tensor]:
    """Return name of a way → the later table, float64 ``(n, dim)``.

    Codes that both editions have stay where they are.

    Args:
        one: the revision.
        known: the table that was trained on the earlier edition.
        by_text: ``(n, dim)``, tangents of the later titles.
        network: trained on ``known``.
    """
    new, level, c = one.new, one.level, known.curvature
    start = one.carried(known.tangents)
    trained = one.carried(known.supervised.double()).bool() & ~new
    ridge = by_ridge(by_text, start, level, trained, known.ridge)
    text = torch.where(new[:, None], by_text, start)
    points = exp0(known.tangents, c=c).numpy()
    placed = classification_points(AFTER, known.taxonomy.codes, points, c, one.links)
    came_from = log0(torch.from_numpy(placed), c=c)

    def at_radius(table: Tensor) -> Tensor:
        return at_level_radius(torch.where(new[:, None], table, start), level, trained)

    ways = {
        RIDGE: ridge,
        TEXT: text,
        TEXT_AT_RADIUS: at_radius(by_text),
        PREDECESSORS: came_from,
        PREDECESSORS_AT_RADIUS: at_radius(came_from),
        BETWEEN: at_radius(_midpoint(ridge, came_from, c)),
    }
    heard = network.place(one.after, torch.where(new[:, None], ridge, start), new)
    ways |= {NETWORK: heard, NETWORK_BETWEEN: at_radius(_midpoint(heard, came_from, c))}
    return {name: torch.where(new[:, None], ways[name], start) for name in WAYS}


def _midpoint(a: Tensor, b: Tensor, c: float) -> Tensor:
    return log0(geodesic(exp0(a, c=c), exp0(b, c=c), HALF, c=c), c=c)
