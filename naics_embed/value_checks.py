"""Checks of configured values."""

from naics_embed.errors import ConfigError


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError unless ``value`` is among ``allowed``."""
    if value not in allowed:
        raise ConfigError(f'{key} must be one of {", ".join(allowed)}, not {value!r}')


def require(kept: bool, key: str, value: object, expected: str) -> None:
    """Raise ConfigError unless ``kept``; the message says what was ``expected`` of ``key``."""
    if not kept:
        raise ConfigError(f'{key} must be {expected}, not {value!r}')
