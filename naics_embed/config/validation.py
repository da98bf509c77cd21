"""Checks that sections of the configuration make when they are made."""

from collections.abc import Mapping

from naics_embed.errors import ConfigError
from naics_embed.redaction import carries_secret

SIGN_IN = {
    'tracking.': 'MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN',
    'MLFLOW_': 'MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN',
    'platform.remote_cache': (
        'the variables of that storage, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or '
        'FSSPEC_S3_KEY, or into ~/.config/fsspec/conf.json'
    ),
    'data.base_url': '~/.netrc',
    'review.store': 'PGPASSWORD or ~/.pgpass, or the address into NAICS_EMBED_REVIEW_STORE',
    'batch.': "certificates of Dask's own configuration (DASK_DISTRIBUTED__COMM__TLS__...)",
}
"""Beginning of a key → where users and passwords belong instead."""
ELSEWHERE = 'a variable of the environment of the process that needs them'


def no_secret(key: str, value: object, origin: str) -> None:
    """Raise ConfigError where an address has a user, a password or a token; it is not repeated.

    Args:
        key: of the configuration, or the name of a variable or parameter.
        value: a text, or a collection of any; other values pass.
        origin: where the value comes from, for the message; may be empty.
    """
    if isinstance(value, str):
        if carries_secret(value):
            remedy = next((text for name, text in SIGN_IN.items() if key.startswith(name)), None)
            raise ConfigError(
                f'{key}{origin and f" in {origin}"} has a user, a password or a token in an '
                'address, and addresses are stored with every run; name the address without them, '
                f'and put them into {remedy or ELSEWHERE} (docs/platform.md, Not in addresses)'
            )
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            no_secret(f'{key}.{name}', inner, origin)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            no_secret(key, inner, origin)
