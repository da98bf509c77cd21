"""Order of siblings around the disk: neighbours in meaning next to each other.

The sectors are seriated: pairs that are far apart in the table are far apart on the circle.
A family below them is a short travelling-salesman path over the table's distances, from the code
before the family on the circle to the one after it. Both are improved until no move
helps: reversals of a stretch (2-opt, Croes 1958), moves of a stretch of up to three (Or 1976).
"""

from collections.abc import Callable

import numpy as np

from naics_embed.taxonomy import Taxonomy

GAIN = 1e-9
"""Least decrease of a cost that counts as one, so that rounding cannot make moves go on."""


def circular_order(taxonomy: Taxonomy, distances: np.ndarray) -> list[int]:
    """Return all codes in depth-first order, each family sorted by its neighbours on the circle.

    Args:
        taxonomy: n codes.
        distances: float ``(n, n)`` of the table.
    """
    sectors = _seriated(taxonomy, distances)
    ring = sectors
    families: dict[int, list[int]] = {}
    while any(taxonomy.children[node] for node in ring):
        for position, node in enumerate(ring):
            before, after = ring[position - 1], ring[(position + 1) % len(ring)]
            ends = (before, after) if len(ring) > 1 else (node, node)
            families[node] = _open_path(list(taxonomy.children[node]), ends, distances)
        ring = [child for node in ring for child in (families[node] or [node])]
    order: list[int] = []
    waiting = sectors[::-1]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(families.get(node, [])[::-1])
    return order


def _seriated(taxonomy: Taxonomy, distances: np.ndarray) -> list[int]:
    """Return the sectors around the circle, those of great mean distance opposite.

    Maximises ``Σ w_i w_j (D_ij − mean D) log sin(½|θ_i − θ_j|)`` over orders, with w the leaves of
    a sector and θ its middle where leaves share the circle evenly: far from the origin, distance
    in the plane grows with the logarithm of that sine.
    """
    sectors = np.flatnonzero(taxonomy.parent < 0)
    if len(sectors) < 4:
        return [int(sector) for sector in sectors]
    member = taxonomy.sector[taxonomy.leaves][:, None] == sectors
    leaves = member.sum(axis=0).astype(np.float64)
    fraction = member / leaves
    mean = fraction.T @ distances[np.ix_(taxonomy.leaves, taxonomy.leaves)] @ fraction
    pairs = np.outer(leaves, leaves)
    np.fill_diagonal(pairs, 0)
    weights = pairs * (mean - (pairs * mean).sum() / pairs.sum()) / pairs.sum()

    def strain(path: list[int]) -> float:
        width = leaves[path]
        angle = (width.cumsum() - width / 2) * (2 * np.pi / width.sum())
        apart = np.abs(np.sin((angle[:, None] - angle[None, :]) / 2))
        np.fill_diagonal(apart, 1)
        return -float((weights[np.ix_(path, path)] * np.log(apart)).sum())

    return [int(sectors[index]) for index in _improved(list(range(len(sectors))), strain)]


def _open_path(nodes: list[int], ends: tuple[int, int], distances: np.ndarray) -> list[int]:
    """Return `nodes` in an order of locally least length between two fixed ends.

    Starts from the better of the nearest-neighbour and the given order.
    """
    if len(nodes) < 2:
        return nodes
    before, after = ends

    def length(path: list[int]) -> float:
        whole = [before, *path, after]
        return float(distances[whole[:-1], whole[1:]].sum())

    return _improved(min((nodes, _nearest_first(nodes, before, distances)), key=length), length)


def _improved(path: list[int], cost: Callable[[list[int]], float]) -> list[int]:
    """Return a path that no move makes cheaper."""
    least = cost(path)
    improved = True
    while improved:
        improved = False
        for candidate in _moves(path):
            candidate_cost = cost(candidate)
            if candidate_cost < least - GAIN:
                path, least, improved = candidate, candidate_cost, True
                break
    return path


def _nearest_first(nodes: list[int], start: int, distances: np.ndarray) -> list[int]:
    path: list[int] = []
    left = list(nodes)
    at = start
    while left:
        at = min(left, key=lambda node: (distances[at, node], node))
        left.remove(at)
        path.append(at)
    return path


def _moves(path: list[int]) -> list[list[int]]:
    size = len(path)
    reversals = [
        path[:i] + path[i:j][::-1] + path[j:] for i in range(size) for j in range(i + 2, size + 1)
    ]
    moved = []
    for width in range(1, min(3, size - 1) + 1):
        for i in range(size - width + 1):
            stretch, rest = path[i : i + width], path[:i] + path[i + width :]
            moved += [rest[:j] + stretch + rest[j:] for j in range(len(rest) + 1) if j != i]
    return reversals + moved
