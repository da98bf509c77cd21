"""One encoder by every runtime at hand: texts a second, and agreement of the nearest code.

Ours in each number format, the same transformer padded, and ONNX Runtime (float32, dynamic int8)
and OpenVINO where they are installed, with the package onnx; a private environment will do. All
take their turn in one process, on one thread. To see an older processor:

    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 \\
        python -m benchmarks.runtimes --bundle BUNDLE --texts 256

This holds PyTorch, oneDNN and MKL to AVX2, not ONNX Runtime, and may not hold OpenVINO.
"""

import argparse
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from naics_embed.bundle.storage import CODER
from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.search.searcher import Searcher
from naics_embed.search.storage import read_queries
from naics_embed.taxonomy import LEAF_LEVEL
from naics_embed.text.inference.bert import Bert
from naics_embed.text.inference.packed import PackedEncoder
from naics_embed.text.inference.precisions import FLOAT32, PRECISIONS
from naics_embed.text.pooling import mean_pool
from naics_embed.text.tokens import TokenTable, length_batches

BATCH_TOKENS = 1024
OURS = 'ours, {}'
Run = Callable[[], np.ndarray]
Batch = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Padded(nn.Module):
    """Token ids and mask ``(b, t)`` → unit embeddings ``(b, width)``."""

    def __init__(self, model: Bert) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Embed a padded batch; the mask is always applied, so that it can be exported."""
        kept = mask.bool()
        hidden = self.model.embeddings(ids)
        for layer in self.model.encoder.layer:
            hidden = layer(hidden, kept[:, None, None, :])
        return mean_pool(hidden, kept)


def padded(table: TokenTable, width: int, order: np.ndarray, batch: Batch) -> Run:
    """Return what embeds all texts by a runtime that takes padded batches."""

    def run() -> np.ndarray:
        result = np.empty((len(table), width), dtype=np.float32)
        for rows in length_batches(table.lengths, BATCH_TOKENS):
            ids, mask = table.padded(rows)
            result[rows] = batch(ids, mask.astype(np.int64))
        return result[order]

    return run


def others(model: Padded, folder: Path) -> dict[str, Batch]:
    """Return the runtimes that are installed, by name."""
    found: dict[str, Batch] = {}
    if importlib.util.find_spec('onnx') is None:
        return found
    file = folder / 'model.onnx'
    axes = {'ids': {0: 'b', 1: 't'}, 'mask': {0: 'b', 1: 't'}, 'out': {0: 'b'}}
    sample = torch.randint(5, 900, (2, 9)), torch.ones(2, 9, dtype=torch.int64)
    torch.onnx.export(
        model,
        sample,
        str(file),
        input_names=['ids', 'mask'],
        output_names=['out'],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    if importlib.util.find_spec('onnxruntime') is not None:
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small = folder / 'int8.onnx'
        quantize_dynamic(file, small, weight_type=QuantType.QInt8, per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        for name, path in (('float32', file), ('dynamic int8', small)):
            found[f'ONNX Runtime, {name}'] = _by_onnx(
                onnxruntime.InferenceSession(str(path), options)
            )
    if importlib.util.find_spec('openvino') is not None:
        import openvino

        core = openvino.Core()
        read = core.read_model(str(file))
        for name, hint in (('float32', 'f32'), ('bfloat16', 'bf16')):
            settings = {'INFERENCE_NUM_THREADS': 1, 'INFERENCE_PRECISION_HINT': hint}
            found[f'OpenVINO, {name}'] = _by_openvino(core.compile_model(read, 'CPU', settings))
    return found


def _by_onnx(session: Any) -> Batch:
    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        [embeddings] = session.run(None, {'ids': ids, 'mask': mask})
        return np.asarray(embeddings)

    return run


def _by_openvino(compiled: Any) -> Batch:
    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(compiled([ids, mask])[0])

    return run


def _packed(encoder: PackedEncoder, texts: list[str]) -> Run:
    return lambda: encoder.embed(texts, BATCH_TOKENS)[0].numpy()


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', type=Path, help='directory; default: the promoted one')
    parser.add_argument('--texts', type=int, default=384, help='of those that fitted the coder')
    parser.add_argument('--rounds', type=int, default=3, help='after one that does not count')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    searcher = Searcher.load(arguments.bundle)
    model = searcher.backbone
    if not isinstance(model, Bert):
        parser.error('the encoder of this bundle is not a BERT')
    queries = read_queries(searcher.bundle.path / CODER).sample(
        arguments.texts, seed=1, shuffle=True
    )
    texts, codes = queries['text'].to_list(), np.array(queries['code'].to_list())
    table = TokenTable.build(texts, searcher.tokenizer)
    order = table.rows(texts)
    width = model.config.hidden_size
    runs: dict[str, Run] = {}
    for precision in PRECISIONS:
        encoder = PackedEncoder(searcher.tokenizer, model, model, precision)
        runs[OURS.format(precision)] = _packed(encoder, texts)
    plain = Padded(model).eval()

    @torch.inference_mode()
    def by_torch(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        embedded: Tensor = plain(torch.from_numpy(ids), torch.from_numpy(mask))
        return embedded.numpy()

    leaves = np.flatnonzero(searcher.level == LEAF_LEVEL)
    names = np.array(searcher.codes)[leaves]

    def nearest(embeddings: np.ndarray) -> np.ndarray:
        points = searcher.points_of(torch.from_numpy(embeddings))
        far = pairwise_distance(points, searcher.points[leaves], c=searcher.space.curvature)
        return names[far.argmin(1).numpy()]

    with tempfile.TemporaryDirectory() as folder:
        batches = {'PyTorch, padded': by_torch, **others(plain, Path(folder))}
        for name, batch in batches.items():
            runs[name] = padded(table, width, order, batch)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        best: dict[str, np.ndarray] = {}
        for turn in range(arguments.rounds + 1):
            for name, run in runs.items():
                start = time.process_time()
                embeddings = run()
                if turn:
                    seconds[name].append(time.process_time() - start)
                else:
                    best[name] = nearest(embeddings)
    reference = best[OURS.format(FLOAT32)]
    metrics = {
        name: {
            'texts_per_cpu_s': len(texts) / median(seconds[name]),
            'same_code': float((best[name] == reference).mean()),
            'right': float((best[name] == codes).mean()),
        }
        for name in runs
    }
    capability = torch.backends.cpu.get_cpu_capability()
    shown = Table(
        'runtime',
        'texts a second of processor time',
        'same nearest code',
        'right',
        title=capability,
    )
    for name, row in metrics.items():
        shown.add_row(
            name, f'{row["texts_per_cpu_s"]:.0f}', f'{row["same_code"]:.4f}', f'{row["right"]:.4f}'
        )
    Console().print(shown)
    if arguments.json:
        load = os.getloadavg()[0]
        result = {'capability': capability, 'load': load, 'runtimes': metrics}
        arguments.json.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
