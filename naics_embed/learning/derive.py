"""A bundle derived from another one that knows labelled texts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from naics_embed.config.learning import LearnSettings
from naics_embed.errors import UserError
from naics_embed.evidence.code_prior import leaf_ancestors
from naics_embed.learning.examples import encode_examples, own_examples
from naics_embed.learning.fit import learn_labels
from naics_embed.learning.groups import group_texts, grouped_folds
from naics_embed.learning.outcome import Outcome, outcome_of
from naics_embed.learning.repeated import repeated_reliability
from naics_embed.learning.sources import (
    LabelSource,
    gather,
    kept_sources,
    learned_sources,
    record_of,
)
from naics_embed.learning.storage import check_out, read_base, write_base, write_derived
from naics_embed.search.coder import Coder
from naics_embed.taxonomy import Taxonomy

log = logging.getLogger(__name__)

FEWEST = 10
"""Fewest labelled texts that can be learned."""


def derive_bundle(
    coder: Coder,
    out: Path,
    *,
    add: Sequence[LabelSource] = (),
    remove: Sequence[str] = (),
    settings: LearnSettings | None = None,
    progress: Callable[[str], None] = log.info,
) -> Outcome:
    """Write a bundle that knows labelled texts beside what it knew.

    A source of the same name takes the place of an earlier one. With no source left, the bundle is
    again the one without learned texts.

    Args:
        coder: of the bundle to start from, which stays as it is.
        out: directory to write; an existing bundle there is replaced.
        add: labelled texts.
        remove: names of sources to take out.
        settings: how; the defaults where None.
        progress: called with a line at each step.

    Raises:
        UserError: a name is unknown or given twice, there are too few texts, or ``out`` is
            something else than a bundle.
        ArtifactError: the bundle cannot be learned from, or has private texts that are not given
            again.
    """
    settings = settings or LearnSettings()
    check_out(out)
    kept = kept_sources(learned_sources(coder.searcher.bundle.manifest), add, remove)
    base = read_base(coder)
    stored = gather(coder, kept, add)
    if not len(stored):
        if add:
            raise UserError('no text has exactly one six-digit code, so nothing can be learned')
        return write_base(coder, out, base)
    if len(stored) < FEWEST:
        raise UserError(
            f'{len(stored)} texts with one six-digit code are too few to learn; give at '
            f'least {FEWEST}'
        )
    if len(np.unique(stored.codes)) == 1:
        raise UserError(
            'all texts have one code, so nothing tells it from others; give texts of more codes'
        )
    groups = group_texts(stored.texts, stored.groups, settings.similarity)
    count = int(groups.max()) + 1
    if count < 2:
        raise UserError(
            'all texts are of one group, so none can check what is learned from others; give '
            'texts of more groups, or no groups'
        )
    own = own_examples(coder)
    progress(f'{len(stored):,} texts of {len(np.unique(stored.codes))} codes: encoding')
    encoded = encode_examples(coder, stored.texts, stored.codes, stored.source)
    examples = replace(encoded, private=stored.private)
    settings = replace(settings, folds=min(settings.folds, count))
    folds = grouped_folds(groups, settings.folds, settings.seed)
    ancestors = leaf_ancestors(Taxonomy(coder.searcher.codes))
    learned = learn_labels(*base, own, examples, folds, ancestors, settings, progress)
    outcome = outcome_of(coder, base, examples, own, learned, count, stored.rows, settings)
    trusted = repeated_reliability(
        stored.texts,
        stored.codes,
        stored.source,
        expected=1 - settings.noise,
        strength=settings.repeated,
    )
    records = [
        {**record, 'reliability': trusted[record['name']]} if record['name'] in trusted else record
        for record in [*kept, *(record_of(source) for source in add)]
    ]
    reliability = np.array([trusted[name] for name in stored.source])
    write_derived(coder, out, learned, stored, base, records, outcome, reliability)
    return outcome
