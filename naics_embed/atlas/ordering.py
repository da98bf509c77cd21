"""Order of siblings around the disk: neighbours in meaning next to each other.

Each family is a short travelling-salesman path over the table's distances, from the code that
stands before the family on the circle to the one after it, improved until no move helps.
"""

import numpy as np

from naics_embed.taxonomy import Taxonomy

GAIN = 1e-9
"""Least decrease of a path that counts as one, so that rounding cannot make moves go on."""


def circular_order(taxonomy: Taxonomy, distances: np.ndarray) -> list[int]:
    """Return all codes in depth-first order, each family sorted by what stands around it.

    Args:
        taxonomy: n codes.
        distances: float ``(n, n)`` of the table.
    """
    sectors = _closed_path([int(i) for i in np.flatnonzero(taxonomy.parent < 0)], distances)
    ring = sectors
    families: dict[int, list[int]] = {}
    while any(taxonomy.children[node] for node in ring):
        for place, node in enumerate(ring):
            before, after = ring[place - 1], ring[(place + 1) % len(ring)]
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


def _closed_path(nodes: list[int], distances: np.ndarray) -> list[int]:
    """Return a cycle as a path whose first node is also its two ends, then dropped to the front."""
    if len(nodes) < 4:
        return nodes
    first, *others = nodes
    return [first, *_open_path(others, (first, first), distances)]


def _open_path(nodes: list[int], ends: tuple[int, int], distances: np.ndarray) -> list[int]:
    """Return `nodes` in an order of locally least length between two fixed ends.

    From the better of nearest-neighbour and given order, by reversals of a stretch (2-opt, Croes
    1958) and moves of a stretch of up to three (or-opt, Or 1976).
    """
    if len(nodes) < 2:
        return nodes
    before, after = ends

    def length(path: list[int]) -> float:
        whole = [before, *path, after]
        return float(distances[whole[:-1], whole[1:]].sum())

    best = min((nodes, _nearest_first(nodes, before, distances)), key=length)
    shortest = length(best)
    improved = True
    while improved:
        improved = False
        for candidate in _moves(best):
            found = length(candidate)
            if found < shortest - GAIN:
                best, shortest, improved = candidate, found, True
                break
    return best


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
