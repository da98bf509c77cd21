"""What was found for a text."""

import math
import warnings
from dataclasses import dataclass, field

from naics_embed.bundle.provenance import Provenance
from naics_embed.classifications.names import NAICS2022
from naics_embed.questions.question import Question
from naics_embed.search.searcher import Hit
from naics_embed.search.status import SAYS_NOTHING, status_of

RENAMED = 'Answer.{} is now Answer.{}; the next version has the new name only'


@dataclass(frozen=True)
class Evidence:
    """Evidence for a code.

    Attributes:
        texts: training texts of the code most similar to the query, with their cosine.
        words: matching terms: words of the query that texts of the code contain, with their
            weight, highest first.
    """

    texts: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class CodeSet:
    """Codes that hold the right one with a stated probability.

    The probability holds for texts that are drawn as the bundle's own validation texts were, and
    for those of each length and familiarity; not for texts of another kind.

    Attributes:
        coverage: the probability.
        codes: codes of the requested level, the most probable first; at least one.
        node: the deepest code of ``path`` that holds the right code with this probability by
            itself; None where not even the sector does.
    """

    coverage: float
    codes: tuple[Hit, ...]
    node: Hit | None


@dataclass(frozen=True)
class Answer:
    """What was found for a text.

    Attributes:
        text: the query.
        hits: ranked codes of the requested level; their probability is calibrated.
        path: the best code's ancestors and itself, sector first; the probability of each is that
            of all six-digit codes below it.
        confident: the deepest code of ``path`` whose probability passes the confidence; None where
            not even the sector's does.
        confidence: the requested confidence.
        evidence: evidence for each hit, if requested; for six-digit codes only.
        familiarity: greatest cosine with a known text, by the frozen encoder. Where it is low, the
            probability rests on little that is alike.
        starter: whether the bundle is a starter, built without training.
        question: the question that separates the likely codes best, if asked for; None where none
            would help enough.
        missing: what the text does not say, where it is too vague to code; if a question is asked
            for.
        code_set: codes that hold the right one with a stated probability, if requested.
        name_alone: whether the text is the name of a company that names no trade.
        provenance: which bundle gave it, and when.
        classification: of the codes.
    """

    text: str
    hits: tuple[Hit, ...]
    path: tuple[Hit, ...]
    confident: Hit | None
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    familiarity: float = math.nan
    starter: bool = False
    question: Question | None = None
    missing: tuple[str, ...] = ()
    code_set: CodeSet | None = None
    name_alone: bool = False
    provenance: Provenance | None = field(default=None, compare=False)
    classification: str = NAICS2022

    @property
    def status(self) -> str:
        """How far it can be relied on, one of `naics_embed.search.status.STATUSES`."""
        if self.name_alone:
            return SAYS_NOTHING
        return status_of(self.text, self.hits, self.confident, self.confidence)

    @property
    def chosen(self) -> Hit | None:
        """The confident code, under its old name."""
        warnings.warn(RENAMED.format('chosen', 'confident'), DeprecationWarning, stacklevel=2)
        return self.confident

    @property
    def support(self) -> tuple[Evidence, ...]:
        """The evidence, under its old name."""
        warnings.warn(RENAMED.format('support', 'evidence'), DeprecationWarning, stacklevel=2)
        return self.evidence
