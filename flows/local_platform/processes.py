"""The platform's processes under supervisord: started in order, restarted, stopped workers first.

A process that ends is started again, at once or, where it did not last, after pauses that grow by a
second each time; the others go on meanwhile. At the end the workers are stopped before the servers,
so that runs in progress are reported.
"""

import fcntl
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from configparser import RawConfigParser
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from flows.local_platform import mlflow_auth
from flows.local_platform.credentials import write_private
from flows.local_platform.environment import HOST
from flows.local_platform.pools import POOLS
from flows.local_platform.postgres import OwnServer
from flows.runtime import CHECKOUT

LASTED_S = 5
"""A process that ends sooner has not started, and is tried again after a pause."""
TRIES = 60
STOP_S = 45
STDOUT = 1
LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 107."""
DATABASE, SERVER, ONCE, WORKER = 10, 20, 30, 40
"""Priorities: started by the lowest, stopped by the highest first."""


@dataclass(frozen=True)
class Process:
    """One process of the platform.

    Attributes:
        name: how the supervisor calls it.
        command: program and arguments.
        priority: when it is started and stopped.
        once: whether it does its work and ends.
        user: whom it runs as; None for the present user.
        stop: signal that ends it.
    """

    name: str
    command: list[str]
    priority: int
    once: bool = False
    user: str | None = None
    stop: str = 'TERM'


def commands(prefect_port: int, mlflow_port: int) -> dict[str, list[str]]:
    """Return the commands of servers and workers; they share an environment."""
    app = ' '.join(mlflow_auth.APP)
    lines = {
        'prefect': f'prefect --host {HOST} --port {prefect_port}',
        'mlflow': f'mlflow --host {HOST} --port {mlflow_port} --workers 1 {app}',
        'setup': 'setup --announce',
        'reconcile': 'reconcile',
        **{pool: f'worker {pool} --name {pool}-1' for pool in POOLS},
    }
    start = [sys.executable, '-m', 'flows.local_platform']
    return {name: [*start, *line.split()] for name, line in lines.items()}


def processes(prefect_port: int, mlflow_port: int, postgres: OwnServer | None) -> list[Process]:
    """Return all processes of a platform.

    Args:
        prefect_port: port of Prefect's server.
        mlflow_port: port of MLflow's server.
        postgres: the server of their data, where the platform has one of its own.
    """
    command = commands(prefect_port, mlflow_port)
    databases = []
    if postgres is not None:
        # INT is PostgreSQL's fast shutdown; TERM would wait for clients.
        user = postgres.account()
        databases.append(Process('postgres', postgres.command(), DATABASE, user=user, stop='INT'))
    servers = [Process(name, command[name], SERVER) for name in ('prefect', 'mlflow')]
    once = [Process(name, command[name], ONCE, once=True) for name in ('setup', 'reconcile')]
    return [*databases, *servers, *once, *(Process(name, command[name], WORKER) for name in POOLS)]


def supervise(listed: Iterable[Process], folder: Path) -> None:
    """Become the supervisor of these processes, until a signal ends it; does not return.

    ``supervisorctl -c FOLDER/supervisord.conf`` shows, restarts and stops single processes.

    Args:
        listed: the processes; they inherit this process's environment.
        folder: where configuration, socket and, if standard output is a socket, logs are kept.
    """
    configuration = folder / 'supervisord.conf'
    write_private(configuration, supervisor_configuration(listed, folder, _output(folder)))
    arguments = [sys.executable, '-m', 'supervisor.supervisord', '-n', '-c', str(configuration)]
    os.execv(sys.executable, arguments)


def supervisor_configuration(listed: Iterable[Process], folder: Path, output: str) -> str:
    """Return supervisord's configuration.

    Args:
        listed: the processes.
        folder: of the platform.
        output: where a process ``{name}`` writes to.
    """
    parser = RawConfigParser()
    logs = {'logfile': '/dev/null', 'logfile_maxbytes': '0', 'pidfile': f'{folder}/supervisord.pid'}
    as_root = {'user': 'root'} if os.geteuid() == 0 else {}
    parser['supervisord'] = {'nodaemon': 'true', **logs, **as_root}
    _control(parser, folder)
    for one in listed:
        # After a while, not at once: what it does needs other processes.
        again = {'autorestart': 'unexpected', 'startsecs': '0'} if one.once else {}
        parser[f'program:{one.name}'] = {
            'command': _join(one.command),
            'directory': str(CHECKOUT if one.user is None else folder),
            'priority': str(one.priority),
            'autorestart': 'true',
            'startsecs': str(LASTED_S),
            'startretries': str(TRIES),
            'stopsignal': one.stop,
            'stopwaitsecs': str(STOP_S),
            'killasgroup': 'true',
            'redirect_stderr': 'true',
            'stdout_logfile': output.format(name=one.name),
            'stdout_logfile_maxbytes': '0' if output.startswith('/dev/') else '10MB',
            **({'user': one.user} if one.user else {}),
            **again,
        }
    # The two workers end together, not one after the other.
    workers = [one.name for one in listed if one.priority == WORKER]
    if workers:
        parser['group:workers'] = {'programs': ','.join(workers), 'priority': str(WORKER)}
    stream = StringIO()
    parser.write(stream)
    return stream.getvalue().replace('%', '%%')


def _control(parser: RawConfigParser, folder: Path) -> None:
    """Let ``supervisorctl`` in, by a socket that only this user reaches and a password."""
    socket = folder / 'supervisor.sock'
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        return
    access = {'username': 'naics', 'password': secrets.token_urlsafe(24)}
    parser['unix_http_server'] = {'file': str(socket), 'chmod': '0700', **access}
    parser['supervisorctl'] = {'serverurl': f'unix://{socket}', **access}
    parser['rpcinterface:supervisor'] = {
        'supervisor.rpcinterface_factory': 'supervisor.rpcinterface:make_main_rpcinterface'
    }


def _join(command: list[str]) -> str:
    """Return a command line as supervisord splits it."""
    return ' '.join(f'"{part}"' if ' ' in part else part for part in command)


def _output(folder: Path) -> str:
    """Return where the processes write: standard output, or files where that cannot be opened.

    Under systemd it is a socket. A regular file is appended to by each of them.
    """
    kind = os.fstat(STDOUT).st_mode
    if stat.S_ISSOCK(kind):
        (folder / 'logs').mkdir(exist_ok=True)
        return f'{folder}/logs/{{name}}.log'
    if stat.S_ISREG(kind):
        fcntl.fcntl(STDOUT, fcntl.F_SETFL, fcntl.fcntl(STDOUT, fcntl.F_GETFL) | os.O_APPEND)
    return f'/dev/fd/{STDOUT}'
