"""Log lines as JSON objects, one a line."""

import json
import logging
from datetime import UTC, datetime

FIELDS = ('request_id', 'method', 'route', 'status', 'seconds', 'key', 'trace_id', 'job')
"""Fields that a line has where the message has them."""


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object: time, level, logger, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content = {
            'time': datetime.fromtimestamp(record.created, UTC).isoformat(timespec='milliseconds'),
            'level': record.levelname,
            'logger': record.name,
            'message': record.getMessage(),
        }
        content |= {
            name: value for name in FIELDS if (value := getattr(record, name, None)) is not None
        }
        if record.exc_info:
            content['exception'] = self.formatException(record.exc_info)
        # Plain ASCII: a lone surrogate of a path may be in a message.
        return json.dumps(content, ensure_ascii=True, default=str)


def log_as_json() -> None:
    """Let every handler of the root logger write JSON."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter())
