"""What a bundle says of its own labelled texts by weights that were fitted without them."""

import numpy as np

from naics_embed.config.learning import LearnSettings
from naics_embed.evidence.fusion import Fusion, fit_fusion
from naics_embed.evidence.gates import gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.evidence.settings import FusionSettings
from naics_embed.evidence.top_answer import fit_top
from naics_embed.learning.examples import Examples
from naics_embed.learning.part import CHUNK, REMEMBERED


def held_out_answers(
    known: KnownTexts, fusion: Fusion, own: Examples, folds: np.ndarray, settings: LearnSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best leaf of each of a bundle's own queries and its calibrated probability.

    The weights of the bundle were fitted to these queries. They are fitted again without those of
    each fold, as the weights of the learned bundle are that they are compared with.

    Args:
        known: known texts of the bundle.
        fusion: its fusion.
        own: the queries, which the known texts do not hold.
        folds: int ``(n,)``, the fold of each.
        settings: of the fit.
    """
    rows, gates = np.arange(len(own)), np.empty((len(own), len(fusion.gates)))
    chunks = [rows[start : start + CHUNK] for start in range(0, len(own), CHUNK)]
    size = min(settings.candidates, known.leaves)
    kept = np.empty((len(own), size, 1 + len(COLUMNS)), dtype=np.float32)
    remembered = []
    for chunk in chunks:
        scores, gates[chunk] = _scores(known, own, chunk)
        if len(own) <= REMEMBERED:
            remembered.append(scores)
        logits = fusion.logits(scores, gates[chunk])
        logits[np.arange(len(chunk)), own.labels[chunk]] = np.inf
        # The right one first, whatever its place.
        best_first = np.argpartition(-logits, size - 1, axis=1)[:, :size]
        order = np.argsort(-np.take_along_axis(logits, best_first, axis=1), axis=1)
        chosen = np.take_along_axis(best_first, order, axis=1)
        kept[chunk] = np.take_along_axis(scores, chosen[..., None], axis=1)
    names, sets = np.unique(np.asarray(own.sets), return_inverse=True)
    weight = (1.0 / np.bincount(sets) / len(names))[sets]
    fit = FusionSettings(settings.penalty, settings.iterations)
    parts = []
    for fold in range(int(folds.max()) + 1):
        rest = folds != fold
        parts.append(
            fit_fusion(
                fusion.columns,
                kept[rest],
                gates[rest],
                np.zeros(int(rest.sum()), dtype=np.int64),
                (),
                fit,
                fusion,
                weight=weight[rest] / weight[rest].sum(),
                centre=fusion,
            )
        )
    best, confidence = np.empty(len(own), dtype=np.int64), np.empty(len(own))
    for number, chunk in enumerate(chunks):
        scores = remembered[number] if remembered else _scores(known, own, chunk)[0]
        for fold, part in enumerate(parts):
            mine = folds[chunk] == fold
            p = part.probabilities(scores[mine], gates[chunk[mine]])
            best[chunk[mine]], confidence[chunk[mine]] = p.argmax(axis=1), p.max(axis=1)
    right = best == own.labels
    calibrated = np.empty(len(own))
    for fold in range(len(parts)):
        rest = folds != fold
        top = fit_top(confidence[rest], right[rest], weight[rest], gates[rest], fusion.top.caution)
        calibrated[~rest] = top.confidence(confidence[~rest], gates[~rest])
    return best, calibrated


def _scores(known: KnownTexts, own: Examples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    texts = [own.texts[row] for row in rows.tolist()]
    columns = known.columns(texts, own.embeddings[rows])
    scores = np.concatenate([-own.distances[rows][..., None], columns], axis=-1)
    return scores, gate_values(texts, scores[..., 1 + COLUMNS.index(NEAREST)])
