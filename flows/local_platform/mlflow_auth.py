"""MLflow's own sign-in, where the environment names a user and a password."""

import os
import secrets
from pathlib import Path

from flows.local_platform.credentials import kept_secret
from naics_embed.errors import UserError
from naics_embed.sqlite_address import sqlite_address

NAME, PASSWORD = 'MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD'
"""What clients sign in with; a server that is started with them asks for them."""
APP = ['--app-name', 'naics-embed']
SIGN_IN = 'MLFLOW_AUTH_CONFIG_PATH'
"""Variable that names the configuration of the sign-in."""
SHORTEST = 12
"""Characters that MLflow wants of a password at least."""


def wanted() -> bool:
    """Whether the environment has a user and a password.

    Raises:
        UserError: one of them is missing, or the password is too short for MLflow.
    """
    user, password = os.environ.get(NAME), os.environ.get(PASSWORD)
    if bool(user) != bool(password):
        raise UserError(f'set both {NAME} and {PASSWORD}, or neither: a server without asks nobody')
    if password and len(password) < SHORTEST:
        raise UserError(f'{PASSWORD} is too short: MLflow wants {SHORTEST} characters or more')
    return bool(password)


def server_environment(folder: Path) -> dict[str, str]:
    """Return what the sign-in app reads, keeping its users and its secret in ``folder``.

    The user becomes the administrator when the database of users is first made; a password changed
    later in the environment does not change the one kept there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, secret = folder / 'basic_auth.ini', folder / 'session_secret'
    # A percent sign begins the name of another setting in such a file.
    database = sqlite_address(folder / 'users.db').replace('%', '%%')
    settings.write_text(
        '[mlflow]\n'
        'default_permission = READ\n'
        f'database_uri = {database}\n'
        'authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n',
        encoding='utf-8',
    )
    session_secret = kept_secret(secret, lambda: secrets.token_urlsafe(32))
    return {
        SIGN_IN: str(settings),
        'MLFLOW_AUTH_ADMIN_USERNAME': os.environ[NAME],
        'MLFLOW_AUTH_ADMIN_PASSWORD': os.environ[PASSWORD],
        'MLFLOW_FLASK_SERVER_SECRET_KEY': session_secret,
    }
