"""Addresses of servers and of storage: which of them carry a secret, and texts without it.

An address is stored with every run: in the databases of Prefect and MLflow, in records and in
pages. So a user, a password or a token in one is refused where a configuration is loaded, and
every message of ours is written without it.
"""

import re
from pathlib import PurePath

HIDDEN = '***'

_SCHEME = '[A-Za-z][A-Za-z0-9+.-]*://'
_START = '(?<![A-Za-z0-9+.-])'
_CONTAINER = '(?:abfss?|wasbs?|az|adl)://[^/?#:@]*@'
"""``abfs://container@account/folder`` names no user."""
_SQL = '(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle)(?:[+][A-Za-z0-9_]+)?://'
_PORT = '[0-9]+(?:[/?#,]|$)'
_BETWEEN = '(?:[?&;#=]|%3[Ff]|%26|%3[Bb]|%23|%3[Dd])'
_IS = '(?:=|%3[Dd])'


def _any_case(words: str) -> str:
    """Write a pattern for any case without a flag: JSON schemas have none."""
    return re.sub('[a-z]', lambda found: f'[{found[0].upper()}{found[0]}]', words)


_WORD = _any_case(
    'pass(?!file|ive)|pwd|secret|token|credential|signature|auth(?!or)|'
    'api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key'
)
_NAME = f'(?:[A-Za-z0-9_.-]*(?:{_WORD})[A-Za-z0-9_.-]*|{_any_case("sig|sas|key")})'

SECRET = '|'.join(
    (
        f'{_START}(?!{_CONTAINER}){_SCHEME}[^/?#]*@',
        # Passwords may hold a slash: what follows the user is no port then.
        f'{_SCHEME}[^/?#@:[]+:(?!{_PORT})[^@]*@',
        f'{_SQL}[^/?#@:]*:[^@]*@',
        r"""(?:^|[=\s'"\[{,(])(?://)?(?!mailto:)[^\s/:=@'"\[{,(]+:[^\s/@]+@[^\s/@]""",
        f'://.*{_BETWEEN}{_NAME}{_IS}',
    )
)
"""A regular expression, for Python and for JSON schemas, of a text with a secret in an address."""

_PATH = re.compile(
    r"""(?<![\w.…/:<-])(?:(?:sqlite|file):/{2,4})?"""
    r"""(?:[A-Za-z]:[\\/]|~?/)(?:[^\s'",;<>|]*[\\/])?(?P<last>[^\s'",;<>|\\/]+)[\\/]?"""
)
_WHOLE_PATH = re.compile(
    r'(?:(?:sqlite|file):/{2,4})?(?:[A-Za-z]:[\\/]|~?/)(?:[^\n]*[\\/])?(?P<last>[^\n\\/]+)[\\/]?'
)
"""A text that is one path, with spaces in it perhaps."""
_ADDRESS = re.compile(rf"""{_START}{_SCHEME}[^\s'"<>`]+""")
_USER = re.compile(f'^(?:[^/?#]*|[^/?#@:[]+:(?!{_PORT}).*)@')
_SQL_USER = re.compile('^[^/?#@:]*:.*@')
_VALUE = re.compile(f'({_BETWEEN}{_NAME}{_IS})[^&;#]+')


def carries_secret(text: str) -> bool:
    """Whether a text has an address with a user, a password or a token in it.

    Users before an ``@`` count, in each link of a chain such as ``simplecache::s3://…`` too, and
    parts of a query such as ``?password=…``, ``&token=…`` or ``&sig=…``.
    """
    return re.search(SECRET, text) is not None


def redacted(text: str) -> str:
    """Return a text whose addresses have ``***`` in place of users, passwords and tokens."""
    return _ADDRESS.sub(lambda found: _redacted_address(found[0]), text)


def shown_tracker(uri: str) -> str:
    """Name a tracking URI in a page that others read: a server, or a file without its folder."""
    if uri.startswith('http'):
        return redacted(uri)
    scheme, separator, path = uri.partition(':///')
    return f'{scheme}: {PurePath(path).name}' if separator else redacted(uri)


def without_folders(text: str) -> str:
    """Return a text whose absolute paths are shortened to their last part: ``…/census``.

    For pages that others read: where files lie on the machine of whoever made them is nobody's
    business, and means nothing elsewhere.

    >>> without_folders('read from /home/ada/files/census, 3 files')
    'read from …/census, 3 files'
    """
    whole = _WHOLE_PATH.fullmatch(text)
    if whole is not None:
        return f'…/{whole["last"]}'
    return _PATH.sub(lambda found: f'…/{found["last"]}', text)


def _redacted_address(address: str) -> str:
    scheme, _, rest = address.partition('://')
    if re.match(_CONTAINER, address) is None:
        rest = _USER.sub(f'{HIDDEN}@', rest)
    if re.match(_SQL, address) is not None:
        rest = _SQL_USER.sub(f'{HIDDEN}@', rest)
    return f'{scheme}://' + _VALUE.sub(rf'\1{HIDDEN}', rest)
