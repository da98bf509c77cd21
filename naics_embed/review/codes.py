"""The codes of a bundle as the store keeps them: cards, children, and a search by words."""

import re
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from naics_embed.errors import CodeError
from naics_embed.review.tables import codes
from naics_embed.taxonomy import canonical_code

WORD = re.compile(r'[^\W_]+')
SHOWN_REDIRECTIONS = 12
"""Activities that a card lists as classified elsewhere."""


class CodeBook:
    """The codes of one bundle. Safe to share between threads."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        """Use `read`."""
        self._rows = {row['code']: row for row in rows}
        self._children: dict[str | None, list[str]] = defaultdict(list)
        self._words: dict[str, set[str]] = {}
        for code in sorted(self._rows):
            row = self._rows[code]
            self._children[row['parent']].append(code)
            self._words[code] = set(WORD.findall(row['title'].casefold()))

    @classmethod
    def read(cls, connection: Connection, bundle: str) -> 'CodeBook':
        """Read the codes of a bundle from the store."""
        query = select(codes).where(codes.c.bundle == bundle)
        return cls([dict(row._mapping) for row in connection.execute(query)])

    def __contains__(self, code: object) -> bool:
        return code in self._rows

    def title(self, code: str) -> str | None:
        """Return the title of a canonical code; None for a code of another bundle."""
        row = self._rows.get(code)
        return None if row is None else str(row['title'])

    def known(self, spelled: str) -> str:
        """Return a code in canonical spelling. Raises CodeError where there is none."""
        code = canonical_code(spelled.strip())
        if code not in self._rows:
            raise CodeError(f'{spelled} is not a code of this batch; search for the code')
        return code

    def entry(self, code: str) -> dict[str, Any]:
        """Return code, official spelling, title, level, and how many codes are one level below."""
        row = self._rows[code]
        named = {name: row[name] for name in ('code', 'official', 'title', 'level')}
        return {**named, 'children': len(self._children[code])}

    def card(self, code: str) -> dict[str, Any]:
        """Return the entry of a code with its path and what it excludes, and where that goes.

        A code that the bundle lacks has a card without a title.
        """
        if code not in self._rows:
            bare = {'code': code, 'official': code, 'title': '', 'level': len(code), 'children': 0}
            return {**bare, 'path': [], 'redirections': [], 'more_redirections': 0}
        found = self._rows[code]['redirections']
        elsewhere = [
            {
                'activity': one['activity'],
                'targets': [self.entry(target) for target in one['targets'] if target in self],
            }
            for one in found[:SHOWN_REDIRECTIONS]
        ]
        more = max(0, len(found) - SHOWN_REDIRECTIONS)
        path = {'path': self.path(code), 'redirections': elsewhere, 'more_redirections': more}
        return {**self.entry(code), **path}

    def path(self, code: str) -> list[dict[str, Any]]:
        """Return the entries from the sector to the code."""
        steps = []
        at: str | None = code
        while at is not None and at in self._rows:
            steps.append(self.entry(at))
            at = self._rows[at]['parent']
        return steps[::-1]

    def children(self, parent: str | None) -> list[dict[str, Any]]:
        """Return the codes one level below a code; the sectors for None."""
        return [self.entry(code) for code in self._children[parent]]

    def search(self, query: str, most: int) -> list[dict[str, Any]]:
        """Return codes that begin with digits, or whose titles have the words of a query.

        The last word may be unfinished. Six-digit codes with more of the words come first.
        """
        wanted = WORD.findall(query.casefold())
        if not wanted:
            return []
        if query.strip().isdigit():
            found = [code for code in sorted(self._rows) if code.startswith(query.strip())]
            return [self.entry(code) for code in found[:most]]
        scored = []
        for code, words in self._words.items():
            hits = sum(word in words for word in wanted[:-1])
            hits += any(word.startswith(wanted[-1]) for word in words)
            if hits:
                scored.append((-hits, -len(code), len(words), code))
        return [self.entry(code) for *_, code in sorted(scored)[:most]]
