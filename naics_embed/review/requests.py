"""Bodies of the requests to the review."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_ITEMS = 50
LONGEST = 20_000


class Body(BaseModel):
    """A body without further keys."""

    model_config = ConfigDict(extra='forbid')


class SignIn(Body):
    """Name and password."""

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=1024)


class Wanted(Body):
    """How many items are wanted, and which ones the page has already."""

    count: int = Field(1, ge=1, le=MOST_ITEMS)
    without: list[int] = Field(default_factory=list, max_length=MOST_ITEMS)


class GivenDecision(Body):
    """A decision; the same key again is the same decision."""

    key: str = Field(min_length=1, max_length=64)
    item: int
    action: Literal['code', 'vague', 'not_business', 'skip', 'undo']
    code: str | None = Field(None, max_length=16)
    reason: str | None = Field(None, max_length=LONGEST)
    arbiter: bool = False
    elapsed_ms: int | None = Field(None, ge=0, le=2**31 - 1)


class GivenComment(Body):
    """A comment; the same key again is the same comment."""

    key: str = Field(min_length=1, max_length=64)
    item: int
    text: str = Field(min_length=1, max_length=LONGEST)


class Closing(Body):
    """Whether a batch is closed although items are open or in conflict."""

    force: bool = False
