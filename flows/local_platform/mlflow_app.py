"""MLflow's server for pages of its own only; ``mlflow server --app-name naics-embed`` runs it.

MLflow refuses pages of other hosts, but takes what a page of any port of this machine posts.
"""

import os

from starlette.types import ASGIApp

from flows.local_platform.guard import OwnOriginMiddleware
from flows.local_platform.mlflow_auth import SIGN_IN

ORIGINS = 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS'
"""MLflow's own variable; origins of its pages, separated by commas."""


def create_app() -> ASGIApp:
    """Return MLflow's application, with its sign-in where the environment has a configuration."""
    if os.environ.get(SIGN_IN):
        from mlflow.server.auth import create_app as with_sign_in

        app = with_sign_in()
    else:
        from mlflow.server.fastapi_app import app
    return OwnOriginMiddleware(app, os.environ.get(ORIGINS, '').split(','))
