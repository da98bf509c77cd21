"""A PostgreSQL server of the platform's own: loopback, a password, two databases."""

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from naics_embed.errors import UserError

DATABASES = ('prefect', 'mlflow')
USER = 'naics'
ACCOUNT = 'postgres'
"""Account that runs the server where this process is root's; PostgreSQL refuses root."""
DEBIAN = Path('/usr/lib/postgresql')


@dataclass(frozen=True)
class Server:
    """Where a PostgreSQL server is, for both of its databases.

    Attributes:
        authority: ``user:password@host:port``.
    """

    authority: str

    def environment(self) -> dict[str, str]:
        """Return what Prefect's and MLflow's servers read; never on a command line."""
        return {
            'PREFECT_API_DATABASE_CONNECTION_URL': f'postgresql+asyncpg://{self.authority}/prefect',
            'MLFLOW_BACKEND_STORE_URI': f'postgresql+psycopg://{self.authority}/mlflow',
        }

    def make_databases(self) -> None:
        """Make the two databases where they are missing."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(
            f'postgresql://{self.authority}/postgres', autocommit=True
        ) as connection:
            there = {row[0] for row in connection.execute('SELECT datname FROM pg_database')}
            for name in DATABASES:
                if name not in there:
                    connection.execute(sql.SQL('CREATE DATABASE {}').format(sql.Identifier(name)))


@contextmanager
def own_server(folder: Path, port: int) -> Iterator[Server]:
    """Run a server whose data lie in ``folder``, made when first needed, until the block ends.

    Raises:
        UserError: PostgreSQL is not installed, or it does not start.
    """
    data, secret = folder / 'data', folder / 'password'
    folder.mkdir(parents=True, exist_ok=True)
    _hand_over(folder)
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24), encoding='utf-8')
        _hand_over(secret)
    if not (data / 'PG_VERSION').exists():
        access = ['-U', USER, '-A', 'scram-sha-256', '--pwfile', str(secret)]
        _run([_find('initdb'), '-D', str(data), *access, '-E', 'UTF8', '--no-instructions'], folder)
    options = f'-h 127.0.0.1 -p {port} -k {folder}'
    log = folder / 'log'
    control(folder, '-l', str(log), '-o', options, 'start', log=log)
    try:
        password = secret.read_text(encoding='utf-8').strip()
        yield Server(f'{USER}:{password}@127.0.0.1:{port}')
    finally:
        control(folder, '-m', 'fast', 'stop')


def control(folder: Path, *arguments: str, log: Path | None = None) -> None:
    """Run ``pg_ctl`` on the server whose data lie in ``folder``, and wait for it.

    Raises:
        UserError: it fails.
    """
    _run([_find('pg_ctl'), '-D', str(folder / 'data'), '-w', *arguments], folder, log)


def _find(name: str) -> str:
    debian = [str(folder) for folder in sorted(DEBIAN.glob('*/bin'), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*debian, os.environ.get('PATH', '')]))
    if found is None:
        raise UserError(
            f'PostgreSQL is not installed ({name} is missing): install the package postgresql, or '
            'name a running server in POSTGRES, as user:password@host:port'
        )
    return found


def _hand_over(path: Path) -> None:
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(ACCOUNT)
        except KeyError as error:
            raise UserError(
                f'root cannot run PostgreSQL, and there is no user {ACCOUNT}'
            ) from error
        os.chown(path, account.pw_uid, account.pw_gid)


def _run(command: list[str], folder: Path, log: Path | None = None) -> None:
    user = ACCOUNT if os.geteuid() == 0 else None
    done = subprocess.run(
        command,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        # Not a pipe: the server inherits it and would keep it open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if log else subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors='replace') if done.stderr else f'see {log}'
        raise UserError(f'PostgreSQL: {Path(command[0]).name} failed: {said.strip()}')
