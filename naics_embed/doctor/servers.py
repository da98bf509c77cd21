"""Whether the servers that the environment names give an answer."""

import base64
import http.client
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from naics_embed.doctor.finding import Finding, Level, fail, ok, warn
from naics_embed.redaction import carries_secret, redacted
from naics_embed.sqlite_address import sqlite_address, sqlite_file
from naics_embed.time_limit import TimeBudget, TimeLimitError, call_within

TIMEOUT_S = 5.0
MOST_BYTES = 1000
PREFECT = 'prefect server'
AUTH = 'PREFECT_API_AUTH_STRING'
CLOUD = '.prefect.cloud'
LOOPBACK = ('127.0.0.1', 'localhost', '::1')
TRUE = ('1', 'true', 'yes', 'on')
REFUSED = (401, 403)


def check_prefect(environment: Mapping[str, str], timeout: float = TIMEOUT_S) -> Finding:
    """Ask Prefect's server for its version, where ``PREFECT_API_URL`` names one.

    Args:
        environment: variables as Prefect knows them; a password that only a profile of Prefect
            holds is not among them.
        timeout: seconds to wait for the answer, all in all.
    """
    url = environment.get('PREFECT_API_URL')
    if not url:
        return ok(PREFECT, 'none named: each flow starts one for itself')
    # Every client may ask for the health, so that says nothing about the password. The cloud has
    # no version.
    path = 'health' if _host(url).endswith(CLOUD) else 'admin/version'
    url, named = _without_user(url)
    headers, given = {}, environment.get(AUTH) or named
    if given:
        headers['Authorization'] = f'Basic {base64.b64encode(given.encode()).decode()}'
    elif environment.get('PREFECT_API_KEY'):
        headers['Authorization'] = f'Bearer {environment["PREFECT_API_KEY"]}'
    answer = _ask(
        PREFECT,
        f'{url.rstrip("/")}/{path}',
        timeout,
        'start it (make platform), correct PREFECT_API_URL, or unset it: each run then starts a '
        'server for itself',
        f'set {AUTH}=user:password; that of make platform: source .platform/env',
        headers,
        _certificates(environment),
    )
    if answer.level is Level.OK and path != 'health' and answer.body[:1] != b'"':
        return fail(
            PREFECT,
            f'{url} answers, but not as the API of Prefect does',
            "correct PREFECT_API_URL: it ends in /api, as Prefect's own http://127.0.0.1:4200/api",
        )
    return answer.finding


def check_mlflow(environment: Mapping[str, str], root: Path, timeout: float = TIMEOUT_S) -> Finding:
    """Ask MLflow's server for its health, or open the database of the artifact root."""
    uri = environment.get('MLFLOW_TRACKING_URI') or sqlite_address(root.resolve() / 'mlflow.db')
    subject = 'mlflow tracking'
    if carries_secret(uri):
        return fail(
            subject,
            'MLFLOW_TRACKING_URI has a user, a password or a token in it, which flows refuse',
            'name the address alone; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
        )
    if uri.startswith('http'):
        return _ask(
            subject,
            f'{uri.rstrip("/")}/health',
            timeout,
            'start it (make platform), correct MLFLOW_TRACKING_URI, or unset it',
            'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
        ).finding
    file = sqlite_file(uri)
    if file is None:
        return ok(subject, f'{uri} (not tried: only http and sqlite are)')
    remedy = 'move it away; the next run makes a new one; tables and bundles are not in it'
    return _open(subject, file, timeout, 'runs', remedy)


def check_prefect_database(
    environment: Mapping[str, str], home: Path, timeout: float = TIMEOUT_S
) -> Finding:
    """Open the database of Prefect's home, which the server of a run has where none is named."""
    if environment.get('PREFECT_API_URL') or environment.get('PREFECT_API_DATABASE_CONNECTION_URL'):
        return ok('prefect database', "a server's, not that of the home")
    remedy = 'move it away; only the history of runs on the pages of Prefect is in it'
    return _open('prefect database', home / 'prefect.db', timeout, 'flow_run', remedy)


@dataclass(frozen=True)
class _Answer:
    finding: Finding
    body: bytes = b''

    @property
    def level(self) -> Level:
        return self.finding.level


def _ask(
    subject: str,
    url: str,
    timeout: float,
    remedy: str,
    password: str,
    headers: Mapping[str, str] | None = None,
    certificates: ssl.SSLContext | None = None,
) -> _Answer:
    address = redacted(url)
    try:
        request = urllib.request.Request(url, headers=dict(headers or {}))
        opener = _opener(url, certificates)

        def ask() -> tuple[int, bytes]:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.read(MOST_BYTES)

        status, body = call_within(ask, TimeBudget(timeout, 'timeout').left)
    except urllib.error.HTTPError as error:
        if error.code in REFUSED:
            return _Answer(warn(subject, f'{address} asks for a password ({error.code})', password))
        return _Answer(fail(subject, f'{address} answers {error.code}', remedy))
    except (OSError, ValueError, http.client.HTTPException, TimeLimitError) as error:
        reason = getattr(error, 'reason', error)
        return _Answer(fail(subject, f'{address} gives no answer ({reason})', remedy))
    return _Answer(ok(subject, f'{address} answers {status}'), body)


def _opener(url: str, certificates: ssl.SSLContext | None) -> urllib.request.OpenerDirector:
    """Ask this machine itself without a proxy."""
    handlers: list[urllib.request.BaseHandler] = []
    if _host(url) in LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    if certificates is not None:
        handlers.append(urllib.request.HTTPSHandler(context=certificates))
    return urllib.request.build_opener(*handlers)


def _without_user(url: str) -> tuple[str, str]:
    """Return an address, and the ``user:password`` that was in it."""
    scheme, separator, rest = url.partition('://')
    host, slash, path = rest.partition('/')
    named, _, host = host.rpartition('@')
    return f'{scheme}{separator}{host}{slash}{path}', unquote(named)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ''
    except ValueError:
        return ''


def _certificates(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return what Prefect's settings say about certificates; None for the system's."""
    if environment.get('PREFECT_API_TLS_INSECURE_SKIP_VERIFY', '').lower() in TRUE:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    file = environment.get('PREFECT_API_SSL_CERT_FILE')
    return ssl.create_default_context(cafile=file) if file and Path(file).is_file() else None


def _open(subject: str, file: Path, timeout: float, table: str, remedy: str) -> Finding:
    if not file.is_file():
        return ok(subject, f'no database yet; the first run makes {file}')
    try:
        connection = sqlite3.connect(
            f'{file.absolute().as_uri()}?mode=ro', uri=True, timeout=timeout
        )
        try:
            [(runs,)] = connection.execute(f'select count(*) from {table}').fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if 'locked' in str(error):
            return warn(
                subject,
                f'{file} is locked by another process',
                'wait for it to end; several writers at once need a server: make platform',
            )
        return fail(subject, f'{file} cannot be read ({error})', remedy)
    except sqlite3.DatabaseError as error:
        return fail(subject, f'{file} is damaged ({error})', remedy)
    return ok(subject, f'{file} holds {runs:,} runs')
