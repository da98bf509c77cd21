"""Flows whose parameters hold no secret.

Prefect stores the parameters of a flow run before the flow begins. A flow that is called from
Python is checked first, here; a run of a deployment is checked by Prefect's server, against the
schema that the annotations make.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ParamSpec, TypeVar

from prefect import Flow
from pydantic import Field

from naics_embed.config.validation import no_secret
from naics_embed.redaction import SECRET

P = ParamSpec('P')
R = TypeVar('R')

_NO_SECRET = Field(json_schema_extra={'not': {'type': 'string', 'pattern': SECRET}})
Text = Annotated[str, _NO_SECRET]
"""A parameter without an address that has a user, a password or a token in it."""
Value = Annotated[Any, _NO_SECRET]
"""A value of any type, with the same meaning."""


class CheckedFlow(Flow[P, R]):
    """A flow that refuses addresses with users, passwords or tokens before Prefect stores them."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow. Raises ConfigError where a parameter has a secret in an address."""
        names = inspect.signature(self.fn).parameters
        for name, value in {**dict(zip(names, args, strict=False)), **kwargs}.items():
            _check(name, value)
        return super().__call__(*args, **kwargs)


def _check(name: str, value: Any) -> None:
    """Check a parameter; the key of the configuration is named, where it assigns one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check(str(key), inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check(name, inner)
    elif isinstance(value, str):
        assigned = re.match(r'\s*([a-z_]+[.][a-z_.]+)\s*=', value)
        no_secret(name if assigned is None else assigned[1], value, '')


def checked_flow(**options: Any) -> Callable[[Callable[P, R]], CheckedFlow[P, R]]:
    """Make a function a flow, like `prefect.flow` with the same options, that refuses secrets."""

    def decorate(function: Callable[P, R]) -> CheckedFlow[P, R]:
        return CheckedFlow(function, **options)

    return decorate
