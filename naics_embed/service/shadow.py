"""Shadow mode: a candidate answers too, and only the differences are counted."""

import logging
import random
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from naics_embed.classifications.names import NAICS2022
from naics_embed.config.operation import ShadowConfig
from naics_embed.service import answers
from naics_embed.service.engine import Engine
from naics_embed.service.extras import Wanted
from naics_embed.service.metrics import Metrics
from naics_embed.service.torch_threads import use_threads

log = logging.getLogger(__name__)

SAME, OTHER_CODE, OTHER_CONFIDENT = 'same', 'other_code', 'other_confident'
"""What is counted of a text: both are the same; the best codes differ; only the confident ones."""


class Shadow:
    """A candidate beside the bundle in use."""

    def __init__(
        self, engine: Engine, config: ShadowConfig, metrics: Metrics, threads: int = 1
    ) -> None:
        """Start no thread yet.

        Args:
            engine: the candidate.
            config: how much it answers.
            metrics: where differences are counted.
            threads: torch threads.
        """
        self.engine = engine
        self.config = config
        self.metrics = metrics
        self._executor = ThreadPoolExecutor(1, 'naics-shadow', use_threads, (threads,))
        self._free = threading.BoundedSemaphore(config.queue)

    def offer(
        self,
        texts: Sequence[str],
        given: Sequence[answers.CodedText],
        level: int,
        classification: str = NAICS2022,
    ) -> None:
        """Let the candidate answer texts some time, unless too many wait; returns at once."""
        if self.config.fraction < 1 and random.random() >= self.config.fraction:
            return
        if not self._free.acquire(blocking=False):
            self.metrics.shadow_skipped.inc(len(texts))
            return
        future = self._executor.submit(
            self._compare, list(texts), list(given), level, classification
        )
        future.add_done_callback(self._done)

    def close(self) -> None:
        """Answer no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _compare(
        self, texts: list[str], given: list[answers.CodedText], level: int, classification: str
    ) -> None:
        confidence = given[0].confidence
        wanted = Wanted(classification=classification)
        found = self.engine.code(texts, 1, level, confidence, 0, wanted).answers
        for one, own in zip(given, found, strict=True):
            best, other = one.hits[0], own.hits[0]
            if best.code != other.code:
                result = OTHER_CODE
            elif _code(one.confident) != _code(own.confident):
                result = OTHER_CONFIDENT
            else:
                result = SAME
            self.metrics.shadow_texts.labels(result).inc()
            self.metrics.shadow_difference.observe(abs(best.probability - other.probability))

    def _done(self, future: 'Future[None]') -> None:
        self._free.release()
        if not future.cancelled() and (error := future.exception()) is not None:
            self.metrics.shadow_failed.inc()
            log.error('the candidate failed', exc_info=error)


def _code(hit: answers.LikelyCode | None) -> str | None:
    return None if hit is None else hit.code
