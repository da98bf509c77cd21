"""What was answered, a line each, for monitoring: no text unless its owner wants it."""

import hashlib
import json
import math
import os
import secrets
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from naics_embed.search.coder import Coder
from naics_embed.service.answers import CodedText

SALT = '.salt'
HASH_BYTES = 16
OWNER_ONLY = 0o600


class AnswerLog:
    """Appends observations to ``answers-DATE.jsonl``, a file a day.

    ``naics-embed monitor`` reads them. A text is told from others by a hash with a secret of the
    folder, so that repeated texts can be counted and none can be looked up without it. Safe to
    share between threads.

    Args:
        folder: created where it does not exist.
        texts: whether the texts are written too.
    """

    def __init__(self, folder: Path, *, texts: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.texts = texts
        self._salt = _salt(folder / SALT)
        self._lock = threading.Lock()

    def write(self, coder: Coder, given: Sequence[CodedText]) -> None:
        """Append what a coder has answered, now."""
        time = datetime.now()
        unknown = coder.evidence.unknown_share([answer.text for answer in given]).tolist()
        bundle = coder.searcher.bundle.path.name
        lines = [
            json.dumps(self._line(answer, share, time, bundle), ensure_ascii=True)
            for answer, share in zip(given, unknown, strict=True)
        ]
        path = self.folder / f'answers-{time:%Y-%m-%d}.jsonl'
        content = ''.join(f'{line}\n' for line in lines).encode()
        with self._lock:
            # One write of whole lines, so that other processes may append too.
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
            try:
                os.write(file, content)
            finally:
                os.close(file)

    def _line(
        self, answer: CodedText, unknown: float, time: datetime, bundle: str
    ) -> dict[str, Any]:
        best = answer.hits[0]
        familiarity = answer.familiarity
        line: dict[str, Any] = {
            'time': time.isoformat(timespec='seconds'),
            'code': best.code,
            'probability': round(best.probability, 6),
            'status': answer.status,
            'words': len(answer.text.split()),
            'unknown_words': round(unknown, 4),
            'familiarity': None
            if familiarity is None or math.isnan(familiarity)
            else round(familiarity, 4),
            'bundle': bundle,
            'text_hash': hashlib.blake2b(
                answer.text.encode('utf-8', 'surrogatepass'), key=self._salt, digest_size=HASH_BYTES
            ).hexdigest(),
        }
        return line | ({'text': answer.text} if self.texts else {})


def _salt(path: Path) -> bytes:
    """Return the secret of a folder; it is made once, by whoever comes first."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(file, 'wb') as opened:
        opened.write(secrets.token_bytes(32))
    return path.read_bytes()
