"""The one role of each index entry: example, training, validation or test query."""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from naics_embed.census.normalise import unit_hash
from naics_embed.supervision.leakage import count_leaks, find_leaks

__all__ = ['ROLES', 'assign_roles', 'count_leaks']

log = logging.getLogger(__name__)

ROLES = ('examples', 'train', 'validation', 'test')


def assign_roles(
    entries: pl.DataFrame,
    texts: Sequence[str],
    *,
    fractions: Mapping[str, float],
    seed: int,
    jaccard: float,
) -> pl.DataFrame:
    """Give every index entry exactly one role.

    An entry that matches another text or entry (see `leakage`) is an example or a training
    query, never held out. The others are drawn code by code: m entries, in the order of a hash of
    seed, code and normal form, are cut at m times the cumulated fractions, offset by a hash of seed
    and code. So each code is within one entry of its fractions, the whole within a fraction of a
    percent, and neither the order of rows nor a change in another code matters. A code always
    keeps a training query, at the cost of an example first.

    Args:
        entries: at least ``id`` (unique), ``code``, ``text`` and ``normalised``.
        texts: everything else that training sees: titles, descriptions, illustrative examples,
            exclusion phrases, other training queries. Lines count as texts of their own.
        fractions: of each of `ROLES` among the entries that may be held out; they add up to 1.
            Entries that may not are divided by examples : train.
        seed: seed of the draw.
        jaccard: trigram similarity from which two texts count as the same.

    Returns:
        ``entries`` with ``leaks`` (bool) and ``role`` (str, one of `ROLES`).

    Raises:
        ValueError: the fractions are not those four, do not add up to 1 or leave nothing to train
            on; an id occurs twice; or ``jaccard`` is out of range.
    """
    _check_fractions(fractions)
    if entries['id'].n_unique() != len(entries):
        raise ValueError('entries must have unique ids')
    leaks = find_leaks(entries['normalised'].to_list(), texts, jaccard=jaccard)
    marked = entries.with_columns(pl.Series('leaks', leaks, dtype=pl.Boolean))
    role_of: dict[str, str] = {}
    for (code,), family in marked.group_by('code'):
        role_of |= _draw(str(code), family, fractions, seed)
    roles = [role_of[key] for key in marked['id']]
    counts = Counter(roles)
    log.info(
        'roles of %s index entries: %s; %s match another text and are not held out',
        f'{len(roles):,}',
        ', '.join(f'{counts[role]:,} {role}' for role in ROLES),
        f'{int(leaks.sum()):,}',
    )
    return marked.with_columns(pl.Series('role', roles, dtype=pl.String))


def _check_fractions(fractions: Mapping[str, float]) -> None:
    if set(fractions) != set(ROLES):
        raise ValueError(f'fractions must name {", ".join(ROLES)}, not {", ".join(fractions)}')
    if min(fractions.values()) < 0 or not math.isclose(sum(fractions.values()), 1.0, abs_tol=1e-9):
        raise ValueError(f'fractions must be non-negative and add up to 1, not {dict(fractions)}')
    if fractions['train'] == 0:
        raise ValueError('the fraction of train must be positive')


def _draw(
    code: str, family: pl.DataFrame, fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Return id → role for the entries of one code."""
    keyed = sorted(
        (unit_hash(str(seed), code, normal), key, leaks)
        for key, normal, leaks in family.select('id', 'normalised', 'leaks').iter_rows()
    )
    eligible = [key for _, key, leaks in keyed if not leaks]
    leaking = [key for _, key, leaks in keyed if leaks]
    held = _cut(
        len(eligible),
        {role: fractions[role] for role in ('test', 'validation', 'examples', 'train')},
        unit_hash(str(seed), code, 'eligible'),
    )
    kept = _cut(
        len(leaking),
        {role: fractions[role] for role in ('examples', 'train')},
        unit_hash(str(seed), code, 'leaking'),
    )
    if held['train'] + kept['train'] == 0:
        _spare_one_for_training(held, kept)
    return {
        **dict(zip(eligible, _spread(held), strict=True)),
        **dict(zip(leaking, _spread(kept), strict=True)),
    }


def _cut(count: int, weights: Mapping[str, float], offset: float) -> dict[str, int]:
    """Round ``count`` times the normalised weights to integers that add up to ``count``.

    Systematic rounding: over offsets uniform in [0, 1) each number has the exact mean.
    """
    total = sum(weights.values())
    last = len(weights) - 1
    numbers: dict[str, int] = {}
    cumulated, taken = 0.0, 0
    for position, (role, weight) in enumerate(weights.items()):
        cumulated += weight / total
        bound = count if position == last else min(count, math.floor(offset + count * cumulated))
        numbers[role] = bound - taken
        taken = bound
    return numbers


def _spare_one_for_training(held: dict[str, int], kept: dict[str, int]) -> None:
    for group in (kept, held):
        if group['examples']:
            group['examples'] -= 1
            group['train'] += 1
            return
    larger = 'test' if held['test'] >= held['validation'] else 'validation'
    held[larger] -= 1
    held['train'] += 1


def _spread(numbers: Mapping[str, int]) -> list[str]:
    return [role for role, number in numbers.items() for _ in range(number)]
