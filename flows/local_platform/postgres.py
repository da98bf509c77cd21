"""A PostgreSQL server of the platform's own: loopback, a password, a database for each server."""

import os
import pwd
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from flows.local_platform.credentials import kept_secret
from naics_embed.errors import UserError

USER = 'naics'
ACCOUNT = 'postgres'
"""Account that runs the server where this process is root's; PostgreSQL refuses root."""
DEBIAN = Path('/usr/lib/postgresql')
ANSWER_S = 120.0


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

    def make_database(self, name: str) -> None:
        """Make a database where it is missing, once the server answers.

        Raises:
            UserError: the server does not answer, or it refuses.
        """
        import psycopg
        from psycopg import sql

        end = time.monotonic() + ANSWER_S
        while True:
            try:
                with psycopg.connect(
                    f'postgresql://{self.authority}/postgres', autocommit=True
                ) as connection:
                    names = {
                        row[0] for row in connection.execute('SELECT datname FROM pg_database')
                    }
                    if name not in names:
                        query = sql.SQL('CREATE DATABASE {}').format(sql.Identifier(name))
                        connection.execute(query)
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > end:
                    address = self.authority.rpartition('@')[2]
                    raise UserError(
                        f'PostgreSQL at {address} gives no access: {error}'.strip()
                    ) from error
                time.sleep(1)


@dataclass(frozen=True)
class OwnServer:
    """A server whose data lie in a folder of the platform.

    Attributes:
        folder: where its data, its password and its socket are.
        port: where it listens, on loopback.
    """

    folder: Path
    port: int

    def prepare(self) -> Server:
        """Make data and password where they are missing; return where the server will be.

        Raises:
            UserError: PostgreSQL is not installed, or its files cannot be made.
        """
        data, secret = self.folder / 'data', self.folder / 'password'
        self.folder.mkdir(parents=True, exist_ok=True)
        _hand_over(self.folder)
        password = kept_secret(secret, lambda: secrets.token_urlsafe(24))
        _hand_over(secret)
        if not (data / 'PG_VERSION').exists():
            access = ['-U', USER, '-A', 'scram-sha-256', '--pwfile', str(secret)]
            command = [find('initdb'), '-D', str(data), *access, '-E', 'UTF8', '--no-instructions']
            _run(command, self.folder)
        return Server(f'{USER}:{password}@127.0.0.1:{self.port}')

    def command(self) -> list[str]:
        """Return the command that is the server, in the foreground."""
        address = ['-h', '127.0.0.1', '-p', str(self.port), '-k', str(self.folder)]
        return [find('postgres'), '-D', str(self.folder / 'data'), *address]

    def account(self) -> str | None:
        """Return the user that the server must run as; None for the present one."""
        return ACCOUNT if os.geteuid() == 0 else None


def find(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises UserError where it is missing."""
    debian = [str(folder) for folder in sorted(DEBIAN.glob('*/bin'), reverse=True)]
    program = shutil.which(name, path=os.pathsep.join([*debian, os.environ.get('PATH', '')]))
    if program is None:
        raise UserError(
            f'PostgreSQL is not installed ({name} is missing): install the package postgresql, or '
            'name a running server in POSTGRES, as user:password@host:port'
        )
    return program


def _hand_over(path: Path) -> None:
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam(ACCOUNT)
        except KeyError as error:
            raise UserError(
                f'root cannot run PostgreSQL, and there is no user {ACCOUNT}'
            ) from error
        os.chown(path, account.pw_uid, account.pw_gid)


def _run(command: list[str], folder: Path) -> None:
    user = ACCOUNT if os.geteuid() == 0 else None
    done = subprocess.run(
        command,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f'PostgreSQL: {Path(command[0]).name} failed: {done.stderr.strip()}')
