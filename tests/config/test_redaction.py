"""Which addresses carry a secret, and what is left of a text without it."""

import jsonschema
import pytest

from naics_embed.errors import ConfigError, TrackingError
from naics_embed.redaction import SECRET, carries_secret, redacted, shown_tracker

PW = 'Pl4nted'
WITH = [
    f'http://user:{PW}@host:5000',
    f'https://{PW}@host/path',
    f'HTTPS://user:{PW}@[::1]:5000/',
    f'http://user:{PW}@HOST@[::1]',
    f'http://:{PW}@host',
    f'http://user:a/{PW}@host',
    f'http://user:?{PW}@host',
    f'http://user:#{PW}@host',
    f'http://user:{PW}%40x@host',
    f'postgresql://user:{PW}@host:5432/mlflow',
    f'postgresql+psycopg://user:12/{PW}@host/mlflow',
    f'postgresql://host/mlflow?user=someone&password={PW}',
    f'postgresql:///mlflow?sslpassword={PW}',
    f'mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dy%3BPWD%3D{PW}%3BEncrypt%3Dyes',
    f'mysql://user:{PW}@host/db',
    f's3://key:{PW}@bucket/folder',
    f'simplecache::s3://key:{PW}@bucket/folder',
    f'zip://inner.zip::ftp://user:{PW}@host/outer.zip',
    f'abfs://container:{PW}@account.dfs.core.windows.net/folder',
    f'https://account.blob.core.windows.net/c?sv=2022&sig={PW}',
    f'https://host/f?X-Amz-Credential=a&X-Amz-Security-Token={PW}&x=1',
    f'https://host/f?apiKey={PW}',
    f'https://host/f?x=1;access_key={PW}',
    f'https://host/f#access_token={PW}',
    f'http://host/?Token={PW}',
    f'tcp://user:{PW}@10.0.0.5:8786',
    f'sqlite:////data/mlflow.db?password={PW}',
]
WITHOUT = [
    'http://host:5000',
    'http://host:5000/a@b',
    'http://[::1]:5000/a@b',
    'https://host/a:b@c?page=2&sort=key',
    'sqlite:////home/me@corp/mlflow.db',
    'sqlite:///mlflow.db',
    's3://bucket/folder@2026/token=5',
    'simplecache::s3://bucket/folder',
    'abfs://container@account.dfs.core.windows.net/folder',
    'simplecache::abfss://container@account/folder',
    'postgresql://host:5432/mlflow?sslmode=require&passfile=/home/me/.pgpass',
    'databricks://profile',
    'tcp://10.0.0.5:8786',
    'file:///C:/a@b',
    'naics-embed (mailto:me@example.org; +https://example.org)',
    'artifacts/smoke',
    'sentence-transformers/all-MiniLM-L6-v2',
]


@pytest.mark.parametrize('address', WITH)
def test_an_address_with_a_secret_is_known_and_written_without(address):
    for text in (address, f'tracking.uri={address}', f'tracking.uri="{address}"'):
        assert carries_secret(text)
    shown = redacted(f"cannot open '{address}' (see {address}): no answer")
    assert PW not in shown
    assert shown.startswith(f"cannot open '{address.partition('://')[0]}://")
    assert shown.endswith(' no answer')
    assert PW not in str(TrackingError(f'{address} gives no answer'))
    assert not jsonschema.Draft202012Validator({'not': {'pattern': SECRET}}).is_valid(address)


@pytest.mark.parametrize('address', WITHOUT)
def test_an_address_without_one_is_left_alone(address):
    for text in (address, f'tracking.uri={address}', f'tracking.uri="{address}"'):
        assert not carries_secret(text)
    text = f"cannot open '{address}': no answer"
    assert redacted(text) == text
    assert str(ConfigError(text)) == text
    assert jsonschema.Draft202012Validator({'not': {'pattern': SECRET}}).is_valid(address)


@pytest.mark.parametrize('text', [f'user:{PW}@host:5000', f'//user:{PW}@host/x'])
def test_an_address_without_a_scheme_counts_too(text):
    assert carries_secret(text)
    assert carries_secret(f'tracking.uri={text}')


def test_what_is_hidden_is_the_secret_alone():
    assert redacted(f'postgresql://user:{PW}@host:5432/db?sslmode=require') == (
        'postgresql://***@host:5432/db?sslmode=require'
    )
    assert redacted(f'see https://host/f?a=1&token={PW}&b=2 there') == (
        'see https://host/f?a=1&token=***&b=2 there'
    )


def test_a_page_names_a_server_or_a_file_without_its_folder():
    assert shown_tracker('http://host:5000') == 'http://host:5000'
    assert shown_tracker('sqlite:////home/someone/artifacts/mlflow.db') == 'sqlite: mlflow.db'
    assert PW not in shown_tracker(f'postgresql://user:{PW}@host/db')
