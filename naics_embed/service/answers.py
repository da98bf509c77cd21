"""The shapes of the answers, as the OpenAPI document shows them."""

from typing import Literal

from pydantic import BaseModel, Field

from naics_embed.classifications.names import NAICS2022

Status = Literal['coded', 'coarser', 'uncertain', 'says nothing']
"""As in `naics_embed.search.status`."""


class Code(BaseModel):
    """A code with its title."""

    code: str = Field(description='The code; a sector that is a range under its first number.')
    official: str = Field(description='Its official spelling, such as 31-33.')
    title: str
    level: int = Field(
        description='Its level: digits, 2 to 6; in ISIC, NACE and SIC 1, a section, to 4, a class.'
    )


class LikelyCode(Code):
    """A code with the probability that it, or a code below it, is the right one."""

    probability: float
    distance: float = Field(description='Geodesic distance from the point of the text.')


class KnownText(BaseModel):
    """A training text, and its similarity to the query."""

    text: str
    cosine: float


class Word(BaseModel):
    """A matching term: a word of the query that texts of the code contain, and its weight."""

    word: str
    weight: float


class Evidence(BaseModel):
    """Evidence for a code."""

    texts: list[KnownText]
    words: list[Word]


class Hit(LikelyCode):
    """A ranked code."""

    path: list[Code] = Field(description='From the sector to the code itself.')
    evidence: Evidence | None = Field(description='If requested; for six-digit codes only.')


class Option(BaseModel):
    """An option of a question."""

    text: str = Field(max_length=500)
    codes: list[str] = Field(
        max_length=100,
        description='Codes that it stands for, of any level; a shorter one for all below it.',
    )
    rest: bool = Field(description='Whether it stands for all codes that no other option names.')


class Question(BaseModel):
    """A question that separates the likely codes of a text."""

    kind: str = Field(max_length=40, description='What it is drawn from.')
    prompt: str = Field(max_length=500)
    options: list[Option] = Field(min_length=2, max_length=50)
    gain: float = Field(
        description='Expected gain in the probability of the best code, if the answer is true.'
    )


class Reply(BaseModel):
    """The answer to a question: the question as it was sent, and the number of an option."""

    question: Question
    option: int = Field(ge=0, description='Number of the option, from 0.')


class CodeSet(BaseModel):
    """Codes that hold the right one with a stated probability."""

    coverage: float
    codes: list[LikelyCode] = Field(description='Of the requested level; at least one.')
    node: LikelyCode | None = Field(
        description='The deepest code of `path` that holds the right one with this probability; '
        'null where not even the sector does.'
    )


class CodedText(BaseModel):
    """The answer for a text."""

    text: str
    hits: list[Hit]
    status: Status = Field(
        description='`coded`: the best code passes the confidence; `coarser`: only a code of fewer '
        'digits above it does, `confident`, and one of `hits` is to be chosen; `uncertain`: not '
        'even its sector does; `says nothing`: the text names no activity.'
    )
    path: list[LikelyCode] = Field(
        description='The best code of the requested digits below its ancestors.'
    )
    confident: LikelyCode | None = Field(
        description='The deepest code of `path` whose probability passes the confidence; null '
        "where not even the sector's does."
    )
    confidence: float
    classification: str = Field(
        default=NAICS2022, description='Of the codes; as it was asked for, by its name.'
    )
    starter: bool = Field(
        default=False,
        description='Whether nothing was trained and a starter answers: less accurate, and its '
        'probabilities hold for texts of our own only.',
    )
    familiarity: float | None = Field(
        None,
        description='Greatest cosine with a known text. Where it is low, the probability rests on '
        'little that is alike.',
    )
    question: Question | None = Field(
        None, description='If asked for, and if one would help; send it back in `replies`.'
    )
    missing: list[str] = Field(
        [], description='What the text does not say, where it is too vague to code; with `ask`.'
    )
    code_set: CodeSet | None = Field(None, description='With `coverage`.')
    backoff: LikelyCode | None = Field(
        deprecated=True, description='The name of `confident` in earlier versions.'
    )


class Provenance(BaseModel):
    """Where an answer comes from."""

    bundle: str = Field(description="Key of the content of the bundle's files.")
    vintage: str
    classification: str
    version: str = Field(description='Of naics-embed.')
    calibration: str | None = Field(
        description='Key of the labelled texts to which the probabilities were calibrated.'
    )
    time: str | None = Field(description='When the answer was given, UTC.')


class CodeAnswer(BaseModel):
    """One entry a text, in the order of the request."""

    answers: list[CodedText]
    provenance: Provenance


class DiskPoint(BaseModel):
    """A point of the map, the Poincaré disk of radius 1."""

    x: float
    y: float


class Neighbour(Code):
    """A similar code."""

    distance: float = Field(description='Geodesic distance.')
    tree_distance: int = Field(description='Edges between the two.')
    similarity: float | None = Field(
        default=None, description='Cosine of the mean texts of both, where texts were asked for.'
    )


class Redirection(BaseModel):
    """An activity that the text of the code sends elsewhere."""

    activity: str
    targets: list[Code]


class Coordinates(BaseModel):
    """The coordinates of a code."""

    curvature: float = Field(description='c > 0; the space has curvature −c.')
    tangent: list[float] = Field(description='Log map at the origin: the columns of the table.')
    disk: DiskPoint


class CodeTexts(BaseModel):
    """Texts of a code, for reading."""

    description: str | None = Field(description='The official definition, paragraphs on lines.')
    examples: list[str] = Field(description='Illustrative examples.')
    index_entries: list[str] = Field(description='Activities that the official index lists.')
    known_texts: list[str] = Field(description='Texts by which the coder knows the code.')


class CodeCard(Code):
    """All about a code."""

    vintage: int
    path: list[Code] = Field(description='From the sector to the code itself.')
    children: list[Code]
    similar: list[Neighbour] = Field(description='The nearest codes of the same level.')
    redirections: list[Redirection]
    texts: CodeTexts
    coordinates: Coordinates


class ListedCode(Code):
    """A code in a list."""

    children: int = Field(description='How many codes are one level below it.')


class CodeList(BaseModel):
    """Codes of one level, all or those below another code."""

    vintage: int
    parent: Code | None = Field(description='The code that they are below; null for all.')
    codes: list[ListedCode]


class CrossReference(Redirection):
    """An activity that the text of one of two codes sends to the other."""

    source: Code


class Side(Code):
    """One of two codes that are compared."""

    path: list[Code] = Field(description='From the sector to the code itself.')
    evidence: Evidence | None = Field(
        description='Of the text, where one is given; for six-digit codes only.'
    )
    cues: list[str] = Field(description='Words of the text that speak for it, not for the other.')
    deciding_words: list[str] = Field(
        description='Words that would speak for it, not for the other; for six-digit codes only.'
    )


class CodeComparison(BaseModel):
    """Two codes, and what decides between them."""

    first: Side
    second: Side
    common: Code | None = Field(description='Lowest common ancestor; null where there is none.')
    tree_distance: int = Field(description='Edges between the two.')
    distance: float = Field(description='Geodesic distance.')
    cross_references: list[CrossReference] = Field(description='From the one to the other.')


class Table(BaseModel):
    """A table of texts."""

    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = Field(default=[], description='What was detected or changed.')


class SearchAnswer(BaseModel):
    """What the page shows for a query."""

    answer: CodedText | None = Field(description='Null where the query is a code.')
    code: CodeCard | None = Field(description='The card of the code, where the query is one.')
    point: DiskPoint | None = Field(
        description='Where the map shows the query: the hyperbolic centroid of its hits on the '
        'disk, weighted by their probabilities. Null for codes of another classification.'
    )
    place: DiskPoint | None = Field(
        deprecated=True, description='The name of `point` in earlier versions.'
    )
    provenance: Provenance


class DiskMap(BaseModel):
    """All codes on the disk, one entry a code in each list."""

    code: list[str]
    title: list[str]
    level: list[int]
    parent: list[int] = Field(description='Position of the parent; −1 for a sector.')
    x: list[float]
    y: list[float]


class Fault(BaseModel):
    """What is wrong with one field of the request."""

    where: str
    reason: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = 'about:blank'
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
    error_count: int | None = None


class Health(BaseModel):
    """Whether the process answers, or the model is loaded."""

    status: str
    version: str
    bundle: str | None = Field(default=None, description='Key of the content of the bundle.')
