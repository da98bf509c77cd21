"""The model card says what the run recorded, and the hub can read it."""

import pytest
import yaml
from huggingface_hub import ModelCard

from naics_embed.bundle.storage import MODEL_CARD, Bundle, write_bundle
from naics_embed.export.model_card import model_card
from naics_embed.export.sentence_transformer import export_sentence_transformer
from tests.tiny_bundle import (
    FACTS,
    METRICS,
    SPACE,
    tiny_codebook,
    title_tangents,
    write_tiny_encoder,
)

MANIFEST = {
    'codes': 2125,
    'library_version': '9.9',
    'space': vars(SPACE),
    'table': 'hgcn',
    'source': {'kind': 'folder', 'files': {'codes': {'name': 'codes.xlsx', 'sha256': 'ab12'}}},
    'configuration': {
        'backbone': {'name': 'sentence-transformers/all-MiniLM-L6-v2'},
        'runtime': {'seed': 7},
    },
}


def metric(value, reference=None, name=None):
    return {'value': value, 'reference': reference, 'reference_name': name}


RUN_METRICS = {
    'test/top1': metric(0.7, 0.65, 'logistic_regression'),
    'test/hybrid_top1': metric(0.8, 0.65, 'logistic_regression'),
    'test/plain_mrr': metric(0.6),
    'test/hybrid_mrr': metric(None),
    'tree/spearman': metric(0.96, 0.977, 'ceiling'),
}


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split('---\n')[1])


def test_the_hub_reads_it():
    card = ModelCard(model_card(MANIFEST, RUN_METRICS))
    assert card.data.license == 'mit'
    assert card.data.base_model == 'sentence-transformers/all-MiniLM-L6-v2'
    results = {r.metric_name: r.metric_value for r in card.data.eval_results}
    assert results == {'top-1 accuracy, coder': 0.8, 'MRR, distance alone': 0.6}


def test_it_says_what_was_recorded():
    text = model_card(MANIFEST, RUN_METRICS)
    assert '| coder | 0.800 | 0.650 logistic regression |' in text
    assert '| distance alone | 0.700 | 0.650 logistic regression |' in text
    assert '| 0.960 | 0.977 ceiling |' in text
    assert 'codes.xlsx, sha256 `ab12`' in text
    assert '8 dimensions, curvature −0.7' in text
    assert 'hgcn' in text
    assert 'Seed 7' in text
    assert 'hit@10' not in text
    assert 'None' not in text


@pytest.mark.parametrize('name', ['/home/someone/model', './model', 'model', 'a/b/c'])
def test_a_folder_of_this_machine_is_no_base_model(name):
    manifest = MANIFEST | {'configuration': {'backbone': {'name': name}}}
    assert 'base_model' not in front_matter(model_card(manifest, RUN_METRICS))


def test_without_metrics_there_is_no_table():
    bare = {key: MANIFEST[key] for key in ('codes', 'library_version', 'space')}
    text = model_card(bare, {})
    assert 'model-index' not in front_matter(text)
    assert '## Figures' not in text


def test_a_bundle_holds_it_under_a_checksum(tmp_path):
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    codebook = tiny_codebook()
    write_bundle(
        tmp_path / 'bundle',
        codebook,
        codebook['level'].to_numpy() > 0,
        title_tangents(encoder, codebook['title'].to_list()),
        encoder,
        SPACE,
        METRICS,
        FACTS,
        card=model_card,
    )
    bundle = Bundle.load(tmp_path / 'bundle')
    assert MODEL_CARD in bundle.manifest['files']
    text = (bundle.path / MODEL_CARD).read_text(encoding='utf-8')
    assert text == model_card(bundle.manifest, bundle.metrics())


@pytest.mark.filterwarnings('ignore::UserWarning')
def test_the_exported_encoder_has_it_as_readme(bundle, tmp_path):
    pytest.importorskip('sentence_transformers')
    export_sentence_transformer(bundle, tmp_path / 'encoder')
    text = (tmp_path / 'encoder' / 'README.md').read_text(encoding='utf-8')
    assert front_matter(text)['library_name'] == 'sentence-transformers'
    assert 'SentenceTransformer(' in text
