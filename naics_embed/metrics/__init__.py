"""Metrics of merit, as pure functions from tensors to ``dict[str, float]``.

Every group of metrics has a companion with the same keys that says what this tree, or this set of
candidates, allows at best (``…_ceiling``) or gives to a table that knows nothing (``…_chance``).
Nothing is typed in: ceilings are computed from the tree at hand.

Ties: correlations use mean ranks; every ranking metric (average precision, hit, reciprocal rank,
NDCG, parent placement) is the expected value when ties are broken at random.
"""
