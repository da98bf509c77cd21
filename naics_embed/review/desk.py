"""What the routes of the review need: the store, who comes in, the codes, and a search."""

from collections.abc import Callable
from typing import Any

from fastapi import Request

from naics_embed.config.review import ReviewConfig
from naics_embed.review.authentication import Gate, Visitor
from naics_embed.review.batches import Batch, known_batch
from naics_embed.review.codes import CodeBook
from naics_embed.review.store import Store
from naics_embed.review.tables import batches, items
from naics_embed.service.problems import ProblemError

TextSearch = Callable[[str, int], list[tuple[str, float]]]
"""Returns codes with probabilities for a text."""


class Desk:
    """An open store with those who work at it. Safe to share between threads."""

    def __init__(self, store: Store, config: ReviewConfig) -> None:
        """Open the gate; there is no search by text until `text_search` is set."""
        self.store = store
        self.config = config
        self.gate = Gate(store, config)
        self.text_search: TextSearch | None = None
        self._books: dict[str, CodeBook] = {}

    def visitor(self, request: Request) -> Visitor:
        """Return who sends a request, as `Gate.visitor`."""
        return self.gate.visitor(request)

    def arbiter(self, request: Request) -> Visitor:
        """Return an arbiter who sends a request. Raises ProblemError 403 for a reviewer."""
        visitor = self.gate.visitor(request)
        if not visitor.user.arbitrates:
            raise ProblemError(403, 'only an arbiter may do this')
        return visitor

    def administrator(self, request: Request) -> Visitor:
        """Return an administrator who sends a request. Raises ProblemError 403 for others."""
        visitor = self.gate.visitor(request)
        if not visitor.user.administers:
            raise ProblemError(403, 'only an administrator may do this')
        return visitor

    def batch(self, name: str) -> Batch:
        """Return a batch. Raises UserError where there is none."""
        return self.store.read(lambda connection: known_batch(connection, name))

    def batch_of(self, item: int) -> Batch:
        """Return the batch of an item. Raises ProblemError 404 where there is no such item."""
        query = batches.select().with_only_columns(batches.c.name)
        query = query.join_from(batches, items, items.c.batch_id == batches.c.id)
        name = self.store.read(
            lambda connection: connection.execute(query.where(items.c.id == item)).scalar()
        )
        if name is None:
            raise ProblemError(404, f'there is no item {item}')
        return self.batch(str(name))

    def book(self, batch: Batch) -> CodeBook:
        """Return the codes of the bundle of a batch."""
        if batch.bundle not in self._books:
            read = self.store.read(lambda connection: CodeBook.read(connection, batch.bundle))
            self._books[batch.bundle] = read
        return self._books[batch.bundle]

    def search(self, batch: Batch, query: str, most: int) -> list[dict[str, Any]]:
        """Return codes for words, digits, or a description where the coder is loaded."""
        book = self.book(batch)
        listed = book.search(query, most)
        if self.text_search is None or query.strip().isdigit():
            return listed
        ranked = [
            {**book.entry(code), 'probability': probability}
            for code, probability in self.text_search(query, most)
            if code in book
        ]
        seen = {one['code'] for one in ranked}
        # The coder's first codes, then those whose titles have the words.
        half = [*ranked[: most // 2], *(one for one in listed if one['code'] not in seen)]
        return half[:most]
