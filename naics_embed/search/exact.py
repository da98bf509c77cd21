"""Texts that are official titles or known texts, word for word."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from naics_embed.census.normalise import normalise, normalise_all
from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

DECIDED = 0.99
"""Probability of the codes that a title or a text of the bundle itself names, together."""
FEW_TEXTS = 3
"""Texts that are looked for among all known ones before a table of these pays."""


class ExactTexts:
    """Official titles of all levels, and known texts, by their words.

    Args:
        codes: canonical codes of the table, in its order.
        titles: their titles.
        evidence: known texts.
        reliability: ``(m,)``, probability that the label of each of them holds for the same text;
            `DECIDED` for all where None.
    """

    def __init__(
        self,
        codes: Sequence[str],
        titles: Sequence[str],
        evidence: KnownTexts,
        reliability: np.ndarray | None = None,
    ) -> None:
        taxonomy = Taxonomy(codes)
        leaves = taxonomy.at_level(LEAF_LEVEL)
        below: dict[int, list[int]] = {}
        for column, leaf in enumerate(leaves.tolist()):
            for row in {*taxonomy.ancestors[leaf].tolist(), leaf} - {-1}:
                below.setdefault(row, []).append(column)
        self._titles: dict[str, set[int]] = {}
        for row, title in enumerate(titles):
            self._titles.setdefault(normalise(title), set()).update(below.get(row, ()))
        self._looked_for = 0
        self._labels, self._given = evidence.labels, evidence.texts
        self._trusted = reliability

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """Normal form → rows of the known texts that have it."""
        rows: dict[str, list[int]] = {}
        for at, words in enumerate(normalise_all(self._given)):
            rows.setdefault(words, []).append(at)
        return rows

    def prepare(self) -> None:
        """Make the table of all known texts now."""
        _ = self._known

    def _rows(self, words: str) -> list[int]:
        """Return the rows of the known texts with a normal form.

        The first few are looked for: a process that answers once need not bring all texts into
        their normal form.
        """
        self._looked_for += 1
        if self._looked_for > FEW_TEXTS or '_known' in self.__dict__:
            return self._known.get(words, [])
        # All letters and digits are in the normal form, so a text of equal form has the first one.
        first = words[:1]
        maybe = [
            at
            for at, text in enumerate(self._given)
            if first in (start := text[:1].lower()) or not start.isalnum()
        ]
        forms = normalise_all([self._given[at] for at in maybe])
        return [at for at, form in zip(maybe, forms, strict=True) if form == words]

    def decide(self, texts: Sequence[str], probabilities: np.ndarray) -> None:
        """Change the probabilities of texts that match, in place.

        The codes of a title share by what they have; those of a known text by how often it is
        known under each. A text that is known from a user alone decides as far as labels of that
        source hold for the same text.

        Args:
            texts: q texts.
            probabilities: float64 ``(q, leaves)``, rows of sum 1.
        """
        for row, text in enumerate(texts):
            words = normalise(text)
            decided = DECIDED
            if words in self._titles:
                columns = sorted(self._titles[words])
                shares = probabilities[row, columns]
            else:
                # A text that its user keeps private is empty here.
                known = [at for at in self._rows(words) if self._given[at]]
                if not known:
                    continue
                labels, counts = np.unique(self._labels[known], return_counts=True)
                columns, shares = labels.tolist(), counts.astype(np.float64)
                if self._trusted is not None:
                    decided = float(self._trusted[known].max())
            named = probabilities[row, columns].sum()
            # One label of a user's source is not surer than the coder may be; several share.
            if named >= decided and (words in self._titles or decided < DECIDED):
                if words in self._titles or len(columns) == 1:
                    continue
                decided = min(float(named), DECIDED)
            rest = 1.0 - named
            if rest > 0:
                probabilities[row] *= (1.0 - decided) / rest
            probabilities[row, columns] = decided * shares / max(shares.sum(), 1e-300)
            probabilities[row] /= probabilities[row].sum()
