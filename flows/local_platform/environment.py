"""What the servers, their clients and the workers of one platform read from the environment."""

from pathlib import Path

from flows.local_platform import mlflow_auth
from flows.local_platform.credentials import ASKED, GIVEN, auth_string
from flows.local_platform.guard import own_origins
from flows.local_platform.postgres import Server
from naics_embed.sqlite_address import sqlite_address

HOST = '127.0.0.1'
HEARTBEAT_S = 30
CLIENT = ('PREFECT_API_URL', GIVEN, 'PREFECT_FLOWS_HEARTBEAT_FREQUENCY', 'MLFLOW_TRACKING_URI')
"""What a terminal needs to start deployments and runs."""


def environment(
    folder: Path, prefect_port: int, mlflow_port: int, server: Server | None
) -> dict[str, str]:
    """Return the environment of all processes of the platform.

    Args:
        folder: where the servers keep everything; passwords are made there when first needed.
        prefect_port: port of Prefect's server.
        mlflow_port: port of MLflow's server.
        server: the PostgreSQL server of both; SQLite files in ``folder`` where None.
    """
    databases = (
        {'MLFLOW_BACKEND_STORE_URI': sqlite_address(folder / 'mlflow.db')}
        if server is None
        else server.environment()
    )
    auth = auth_string(folder)
    return {
        ASKED: auth,
        GIVEN: auth,
        'PREFECT_HOME': str(folder / 'prefect'),
        'PREFECT_API_URL': f'http://{HOST}:{prefect_port}/api',
        'PREFECT_SERVER_CORS_ALLOWED_ORIGINS': ','.join(own_origins(prefect_port)),
        'PREFECT_SERVER_ANALYTICS_ENABLED': 'false',
        'PREFECT_FLOWS_HEARTBEAT_FREQUENCY': str(HEARTBEAT_S),
        'MLFLOW_TRACKING_URI': f'http://{HOST}:{mlflow_port}',
        'MLFLOW_ARTIFACTS_DESTINATION': str(folder / 'mlartifacts'),
        'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS': ','.join(own_origins(mlflow_port)),
        'MLFLOW_SERVER_ENABLE_JOB_EXECUTION': 'false',
        'PYTHONUNBUFFERED': '1',
        **databases,
        **(mlflow_auth.server_environment(folder / 'mlflow-auth') if mlflow_auth.wanted() else {}),
    }
