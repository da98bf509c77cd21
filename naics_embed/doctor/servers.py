"""Whether the servers that the environment names give an answer."""

import sqlite3
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from naics_embed.doctor.finding import Finding, fail, ok, warn

TIMEOUT_S = 5.0
REFUSED = (401, 403)


def check_prefect(environment: Mapping[str, str], timeout: float = TIMEOUT_S) -> Finding:
    """Ask Prefect's server for its health, where ``PREFECT_API_URL`` names one."""
    url = environment.get('PREFECT_API_URL')
    if not url:
        return ok('prefect server', 'none named: each flow starts one for itself')
    return _ask(
        'prefect server',
        f'{url.rstrip("/")}/health',
        timeout,
        'start it (make platform), correct PREFECT_API_URL, or unset it',
        'set PREFECT_API_AUTH_STRING=user:password',
    )


def check_mlflow(environment: Mapping[str, str], root: Path, timeout: float = TIMEOUT_S) -> Finding:
    """Ask MLflow's server for its health, or open the database of the artifact root."""
    uri = environment.get('MLFLOW_TRACKING_URI') or f'sqlite:///{root.resolve() / "mlflow.db"}'
    subject = 'mlflow tracking'
    if uri.startswith('http'):
        return _ask(
            subject,
            f'{uri.rstrip("/")}/health',
            timeout,
            'start it (make platform), correct MLFLOW_TRACKING_URI, or unset it',
            'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
        )
    file = uri.removeprefix('sqlite:///')
    if file == uri:
        return ok(subject, f'{uri} (not tried: only http and sqlite are)')
    return _open(subject, Path(file), timeout)


def _ask(subject: str, url: str, timeout: float, mend: str, password: str) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return ok(subject, f'{url} answers {answer.status}')
    except urllib.error.HTTPError as error:
        if error.code in REFUSED:
            return warn(subject, f'{url} asks for a password ({error.code})', password)
        return fail(subject, f'{url} answers {error.code}', mend)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'reason', error)
        return fail(subject, f'{url} gives no answer ({reason})', mend)


def _open(subject: str, file: Path, timeout: float) -> Finding:
    if not file.is_file():
        return ok(subject, f'no database yet; the first run makes {file}')
    try:
        connection = sqlite3.connect(f'{file.as_uri()}?mode=ro', uri=True, timeout=timeout)
        try:
            [(runs,)] = connection.execute('select count(*) from runs').fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if 'locked' in str(error):
            return warn(
                subject,
                f'{file} is locked by another process',
                'wait for it to end; several writers at once need a server: make platform',
            )
        return fail(subject, f'{file} cannot be read ({error})', _MEND_DATABASE)
    except sqlite3.DatabaseError as error:
        return fail(subject, f'{file} is damaged ({error})', _MEND_DATABASE)
    return ok(subject, f'{file} holds {runs:,} runs')


_MEND_DATABASE = 'move it away, runs are logged to a new one; tables and bundles are not in it'
