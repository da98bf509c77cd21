"""Checks that sections of the configuration make when they are made."""

from naics_embed.errors import ConfigError


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless ``value`` is among ``allowed``."""
    if value not in allowed:
        raise ConfigError(f'{key} must be one of {", ".join(allowed)}, not {value!r}')


def require(kept: bool, key: str, value: object, wanted: str) -> None:
    """Raise ConfigError unless ``kept``; the message says what was ``wanted`` of ``key``."""
    if not kept:
        raise ConfigError(f'{key} must be {wanted}, not {value!r}')
