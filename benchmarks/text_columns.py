"""How much a column with names of companies may weigh beside a column of descriptions.

Descriptions of the validation rows of corpus and panel, six digits, get made-up names of three
kinds: a family's name (``Miller & Sons LLC``), one with a word of the right title (``Miller Roofing
LLC``), and one with a word of the title of another code (``Miller Orchards LLC`` for a roofer).
Each rule that joins the two is scored on each kind: top-1, and how often a confident code is right.

    python -m benchmarks.text_columns --bundle BUNDLE --rows 500 --json text_columns.json
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from naics_embed.data.plain_language import plain_language
from naics_embed.search.coder import Coder
from naics_embed.search.several_texts import pooled
from naics_embed.taxonomy import LEAF_LEVEL

FAMILIES = (
    *('Miller', 'Oberholt', 'Nguyen', 'Garcia', 'Kowalski', 'Johnson', 'Haddad', 'Sato', 'Brown'),
    *('Rossi', 'Schmidt', 'Patel', 'Okafor', 'Larsen', 'Cohen', 'Petrov', 'Dubois', 'Silva'),
)
FORMS = ('LLC', 'Inc', '& Sons', 'Group', 'Holdings', 'Co', 'Partners', 'Enterprises')
COMMON = frozenset(
    ['and', 'or', 'the', 'of', 'other', 'except', 'all', 'services', 'activities', 'n.e.c.', 'not']
)
KINDS = ('family', 'telling', 'misleading')
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
CONFIDENCE = 0.8


def word_of(title: str, pick: random.Random) -> str:
    """Return a word of a title that names its activity."""
    words = [word.strip('(),') for word in title.split()]
    useful = [word for word in words if word.lower() not in COMMON and len(word) > 3]
    return pick.choice(useful or words)


def names_of(codes: list[str], titles: dict[str, str], kind: str, seed: int = 0) -> list[str]:
    """Return a made-up name for each code."""
    pick = random.Random(f'{kind} {seed}')
    leaves = sorted(titles)
    names = []
    for code in codes:
        other = pick.choice([leaf for leaf in leaves if leaf[:2] != code[:2]])
        word = {'family': '', 'telling': titles[code], 'misleading': titles[other]}[kind]
        middle = f' {word_of(word, pick)}' if word else ''
        names.append(f'{pick.choice(FAMILIES)}{middle} {pick.choice(FORMS)}')
    return names


def scores(p: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return top-1, the part with a confident code, and how often that is right."""
    best, sure = p.argmax(axis=1), p.max(axis=1) >= CONFIDENCE
    right = best == truth
    return {
        'top1': float(right.mean()),
        'confident': float(sure.mean()),
        'confident_right': float(right[sure].mean()) if sure.any() else float('nan'),
        'log_loss': float(-np.log(np.maximum(p[np.arange(len(p)), truth], 1e-12)).mean()),
    }


def main() -> None:
    """Score every rule on every kind of name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--rows', type=int, default=500)
    parser.add_argument('--json', type=Path)
    given = parser.parse_args()
    coder = Coder.load(given.bundle)
    leaves = list(coder.leaf_codes)
    titles = dict(zip(leaves, (coder.searcher.titles[i] for i in coder.leaves), strict=True))
    rows = plain_language().filter(split='validation').sort('id')
    rows = rows.filter(rows['code'].str.len_chars() == LEAF_LEVEL).sample(
        min(given.rows, len(rows)), seed=0
    )
    codes, texts = rows['code'].to_list(), rows['text'].to_list()
    truth = np.array([leaves.index(code) for code in codes])
    described = coder.probabilities(texts)
    found = {'description alone': {'': scores(described, truth)}}
    for kind in KINDS:
        names = names_of(codes, titles, kind)
        named = coder.probabilities(names)
        rules = {
            'name alone': named,
            'one text, name first': coder.probabilities(
                [f'{n}. {t}' for n, t in zip(names, texts, strict=True)]
            ),
            'one text, name last': coder.probabilities(
                [f'{t}. {n}' for n, t in zip(names, texts, strict=True)]
            ),
        }
        for weight in WEIGHTS:
            rules[f'pooled, weight {weight}'] = pooled([described, named], [1.0, weight])
            rules[f'mixed, part {weight / (1 + weight):.2f}'] = (described + weight * named) / (
                1 + weight
            )
        for rule, p in rules.items():
            found.setdefault(rule, {})[kind] = scores(p, truth)
    for rule, kinds in found.items():
        for kind, values in kinds.items():
            print(
                rule.ljust(24), kind.ljust(11), ' '.join(f'{k} {v:.3f}' for k, v in values.items())
            )
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
