"""Building of a starter: no training, so a minute on two cores.

Codes lie where the construction puts the tree. Texts get there by a ridge regression from frozen
embeddings. What decides is the evidence: titles and the project's own texts, by frozen embeddings
and by words. The weights of the evidence are fitted to validation texts, as those of a run are, so
that probabilities mean something; but they are those of texts that language models wrote, and the
starter knows no descriptions and no index of the Census Bureau.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from shutil import copyfile

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file
from torch import Tensor

from naics_embed.bundle.storage import HEAD, Space, write_bundle
from naics_embed.config.starter import StarterConfig
from naics_embed.evidence.fusion import Fusion, fit_calibrated
from naics_embed.evidence.known_texts import KnownTexts, Linear, index_texts
from naics_embed.geometry.construction import construct
from naics_embed.geometry.lorentz import exp0, log0, pairwise_distance
from naics_embed.search.scoring import FUSED, leaf_scores
from naics_embed.search.storage import (
    FROZEN,
    write_evidence,
    write_queries,
    write_redirections,
)
from naics_embed.starter.texts import fitted_texts, known_texts, titles
from naics_embed.supervision.features import code_features
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy
from naics_embed.text.backbone import BackboneFiles, locate_backbone
from naics_embed.text.head import LorentzHead
from naics_embed.text.inference.bert import load_encoder
from naics_embed.text.inference.frozen import PairedEncoder, write_difference
from naics_embed.text.inference.packed import PackedEncoder, encoder_pair
from naics_embed.text.inference.precisions import FLOAT32
from naics_embed.text.inference.processor import self_test
from naics_embed.text.ridge import ridge_weights
from naics_embed.text.tokens import load_tokenizer

log = logging.getLogger(__name__)

STARTER = 'starter'
"""Key of the manifest that is true for a starter."""
CURVATURE = 1.0
EMPTY_REDIRECTIONS = pl.DataFrame(
    schema={'code': pl.String, 'phrase': pl.String, 'targets': pl.List(pl.String)}
)
ENCODED = 256
"""Texts encoded by a thread at a time."""

Progress = Callable[[str], None]


def build_starter(
    out: Path, config: StarterConfig | None = None, progress: Progress | None = None
) -> None:
    """Write a starter as a bundle, whole or not at all.

    Args:
        out: its directory.
        config: how it is built.
        progress: called with a sentence as each step begins.

    Raises:
        SourceError: the backbone is not on this machine.
    """
    config = config or StarterConfig()
    say = progress or (lambda sentence: log.info('%s', sentence))
    began = time.monotonic()
    files = locate_backbone(config.backbone, config.revision)
    codebook = titles()
    taxonomy = Taxonomy(codebook['code'].to_list())
    known, queries = known_texts(codebook, config), fitted_texts(codebook, config)
    say(f'reading {len(known) + len(queries):,} texts')
    encoder = _encoder(files, config)
    of_known = _embed(encoder, known['text'].to_list(), config, say)
    of_queries = _embed(encoder, queries['text'].to_list(), config, say)
    say('placing the codes')
    targets = taxonomy.indices(known['code'].to_list())
    tangents = _tangents(taxonomy, of_known, targets, config)
    head = _head(of_known, tangents[torch.from_numpy(targets)], config)
    leaves = taxonomy.at_level(LEAF_LEVEL)
    say('indexing what is known of each code')
    evidence = _evidence(known, of_known, taxonomy, leaves, config)
    say('fitting the weights of the evidence')
    points, fusion = _fusion(
        queries, of_queries, head, tangents, leaves, taxonomy, evidence, config
    )
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as temporary:
        folder = Path(temporary)
        _write_encoder(folder / 'encoder', files, head)
        coder = folder / 'coder'
        coder.mkdir()
        write_evidence(coder, evidence, fusion, [taxonomy.codes[i] for i in leaves])
        write_redirections(coder, EMPTY_REDIRECTIONS)
        write_queries(coder, queries, of_queries, log0(points, c=CURVATURE).numpy())
        write_difference(coder / FROZEN, encoder.frozen, encoder.frozen)
        write_bundle(
            out,
            codebook,
            np.ones(len(taxonomy), dtype=bool),
            tangents.numpy(),
            folder / 'encoder',
            Space(config.dim, CURVATURE, config.r_max, config.temperature, config.window),
            {},
            {
                STARTER: True,
                'source': {'kind': 'package', 'warnings': [], 'files': {}},
                'table': 'construction',
                'configuration': {
                    'backbone': {'name': config.backbone},
                    'model': {'dim': config.dim},
                    STARTER: asdict(config),
                },
            },
            coder,
        )
    say(f'built in {time.monotonic() - began:.0f} s')


def _encoder(files: BackboneFiles, config: StarterConfig) -> PairedEncoder:
    backbone = load_encoder(files.folder)
    tokenizer = load_tokenizer(files.folder, config.window)
    # Half of the time where the processor has it, and embeddings that round to the same cosines.
    precision = self_test().fastest if PackedEncoder.fits(backbone) else FLOAT32
    return encoder_pair(tokenizer, backbone, backbone, precision)


def _embed(
    encoder: PairedEncoder, texts: list[str], config: StarterConfig, say: Progress
) -> np.ndarray:
    """Return unit embeddings float32 ``(len(texts), width)``."""
    starts = range(0, len(texts), ENCODED)
    parts = []
    threads = torch.get_num_threads()
    # A thread of our own for each core: those of torch wait for each other, busily, in every layer.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            of_parts = pool.map(
                lambda start: encoder.embed(texts[start : start + ENCODED], config.batch_tokens)[1],
                starts,
            )
            for start, part in zip(starts, of_parts, strict=True):
                parts.append(part.numpy())
                if start and start % (8 * ENCODED) == 0:
                    say(f'{start:,} of {len(texts):,} texts are read')
    finally:
        torch.set_num_threads(threads)
    return np.concatenate(parts)


def _tangents(
    taxonomy: Taxonomy, embeddings: np.ndarray, targets: np.ndarray, config: StarterConfig
) -> Tensor:
    """Return the code points, tangents float64 ``(codes, dim)``."""
    features = code_features(taxonomy, embeddings, targets)
    placed = construct(
        taxonomy.parent,
        dim=config.dim,
        tau=config.tau,
        spread=config.spread,
        directions=torch.from_numpy(features),
        seed=config.seed,
        c=CURVATURE,
    )
    return placed * config.shrink


def _head(embeddings: np.ndarray, tangents: Tensor, config: StarterConfig) -> LorentzHead:
    with torch.random.fork_rng():
        # The hidden layer begins with random weights that have no effect; the file is to be equal.
        torch.manual_seed(config.seed)
        head = LorentzHead(
            embeddings.shape[1],
            config.dim,
            c=CURVATURE,
            r_max=config.r_max,
            units=config.head_units,
        )
    head.fit_linear(torch.from_numpy(embeddings), tangents, config.head_ridge)
    return head.eval()


def _evidence(
    known: pl.DataFrame,
    embeddings: np.ndarray,
    taxonomy: Taxonomy,
    leaves: np.ndarray,
    config: StarterConfig,
) -> KnownTexts:
    of_leaf = (known['code'].str.len_chars() == LEAF_LEVEL).to_numpy()
    rows = known.filter(of_leaf)
    labels = np.searchsorted(leaves, taxonomy.indices(rows['code'].to_list()))
    own = embeddings[of_leaf]
    return index_texts(
        rows['text'].to_list(),
        labels,
        own,
        _linear(own, labels, len(leaves), config),
        config.evidence,
    )


def _linear(x: np.ndarray, labels: np.ndarray, leaves: int, config: StarterConfig) -> Linear:
    """Return a ridge regression of each code's membership, in closed form."""
    member = torch.nn.functional.one_hot(torch.from_numpy(labels), leaves).float()
    embeddings = torch.from_numpy(x)
    x_mean, y_mean = embeddings.mean(0), member.mean(0)
    weights = ridge_weights(embeddings - x_mean, member - y_mean, config.linear_ridge)
    scaled = config.linear_scale * weights
    return Linear(scaled.numpy(), (config.linear_scale * y_mean - x_mean @ scaled).numpy())


def _fusion(
    queries: pl.DataFrame,
    embeddings: np.ndarray,
    head: LorentzHead,
    tangents: Tensor,
    leaves: np.ndarray,
    taxonomy: Taxonomy,
    evidence: KnownTexts,
    config: StarterConfig,
) -> tuple[Tensor, Fusion]:
    """Return the points of the queries and the weights that are fitted to them."""
    with torch.no_grad():
        points = head(torch.from_numpy(embeddings))
    of_leaves = exp0(tangents[torch.from_numpy(leaves)], c=CURVATURE)
    far = pairwise_distance(points, of_leaves, c=CURVATURE).numpy()
    scores, gates = leaf_scores(far, queries['text'].to_list(), embeddings, evidence)
    truth = np.searchsorted(leaves, taxonomy.indices(queries['code'].to_list()))
    fusion = fit_calibrated(FUSED, scores, gates, truth, queries['set'].to_list(), config.fusion)
    return points, fusion


def _write_encoder(folder: Path, files: BackboneFiles, head: LorentzHead) -> None:
    folder.mkdir()
    for name in ('config.json', 'tokenizer.json', 'model.safetensors'):
        copyfile(files.folder / name, folder / name)
    save_file(head.state_dict(), folder / HEAD)
