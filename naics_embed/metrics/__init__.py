"""Metrics of merit, as pure functions from tensors to ``dict[str, float]``.

Every group of metrics has a companion with the same keys: the best that this tree, or this set of
candidates, allows (``…_ceiling``), or the result of guessing (``…_chance``). Both are computed
from the tree that is measured; none is a constant.

Ties: correlations use mean ranks; every ranking metric (average precision, hit, reciprocal rank,
NDCG, `parent_metrics`) is the expected value when ties are broken at random.
"""
