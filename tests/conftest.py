"""The environment of all tests, set before Prefect, MLflow or torch are imported.

Prefect and MLflow start only for the tests that ask for them, once a session.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

THREADS = 2

_home = tempfile.mkdtemp(prefix='naics-embed-tests-')
atexit.register(shutil.rmtree, _home, ignore_errors=True)

os.environ |= {
    'PREFECT_HOME': _home,
    'PREFECT_LOGGING_LEVEL': 'WARNING',
    'PREFECT_SERVER_LOGGING_LEVEL': 'WARNING',
    'PREFECT_SERVER_ANALYTICS_ENABLED': 'false',
    'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '120',
    'DO_NOT_TRACK': 'true',
    'MLFLOW_DISABLE_TELEMETRY': 'true',
    'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR': 'false',
    'GIT_PYTHON_REFRESH': 'quiet',
    'HF_HUB_OFFLINE': '1',
    'TOKENIZERS_PARALLELISM': 'false',
}
os.environ.setdefault('OMP_NUM_THREADS', str(THREADS))
# Threads that spin while they wait make small models ten times slower on a busy machine.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
for _name in ('PREFECT_API_URL', 'PREFECT_PROFILE', 'MLFLOW_TRACKING_URI', 'MLFLOW_RUN_ID'):
    os.environ.pop(_name, None)


@pytest.fixture(scope='session')
def prefect_server():
    """One Prefect server on a database of its own; a flow needs it, a task's function does not."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope='session')
def mlflow_uri(tmp_path_factory) -> str:
    """A tracking database, made when it is first used."""
    folder: Path = tmp_path_factory.mktemp('mlflow')
    return f'sqlite:///{folder / "mlflow.db"}'


@pytest.fixture(scope='session')
def tiny_backbone(tmp_path_factory) -> Path:
    """A folder with a random transformer of the BERT family and a tokenizer of single letters."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder: Path = tmp_path_factory.mktemp('backbone')
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
