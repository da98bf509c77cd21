"""The schema of a coding request, with the limits of the configuration."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from naics_embed.classifications.names import EDITIONS, NAICS2022, classification_name, levels_of
from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.search.options import check_k_and_level
from naics_embed.search.searcher import text_fault
from naics_embed.service import answers
from naics_embed.service.problems import ProblemError
from naics_embed.taxonomy import LEVELS

TOO_MANY = 'too_many_texts'
MOST_KEYS = 32
MOST_REPLIES = 10
LONGEST_CLASSIFICATION = 40
HIGHEST = 1
"""The level of the highest codes of any classification, a section of ISIC."""
CLASSIFICATION = (
    f'Of the codes: {", ".join(EDITIONS)}. Probabilities are those of NAICS 2022, summed over the '
    'correspondence; evidence, questions and sets are for naics2022 only.'
)
LEVEL = (
    'Level of the codes: 2 to 6 digits in NAICS and SCIAN; 1 to 4 in ISIC, NACE and SIC, sections '
    'to classes. The deepest by default.'
)


class CodeRequestFields(BaseModel):
    """The body of ``POST /v1/code``, without limits."""

    texts: list[str]
    k: int
    classification: str
    level: int | None
    confidence: float
    evidence: int
    ask: bool
    coverage: float | None
    replies: list[answers.Reply]


def code_request(config: ServiceConfig) -> type[CodeRequestFields]:
    """Return the model of the body of ``POST /v1/code``, with the limits of a configuration."""
    most = config.max_texts

    def counted(value: Any) -> Any:
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list) and len(texts) > most:
            raise PydanticCustomError(
                TOO_MANY,
                'there are {count} texts, at most {most} are read; send several requests',
                {'count': len(texts), 'most': most},
            )
        return texts

    text = {'type': 'string', 'minLength': 1, 'maxLength': config.max_characters}
    batch = {'type': 'array', 'items': text, 'minItems': 1, 'maxItems': most}

    class CodeRequest(CodeRequestFields):
        """Descriptions of businesses, and how to code them."""

        model_config = ConfigDict(strict=True, extra='forbid')

        @model_validator(mode='before')
        @classmethod
        def _few_keys(cls, value: Any) -> Any:
            # Each unknown key is an error of its own, and a megabyte holds many.
            if isinstance(value, dict) and len(value) > MOST_KEYS:
                raise PydanticCustomError(
                    'too_many_keys', 'there are {count} keys', {'count': len(value)}
                )
            return value

        texts: Annotated[
            list[str],
            Field(min_length=1),
            BeforeValidator(counted),
            WithJsonSchema({'anyOf': [text, batch], 'description': 'One text, or a batch.'}),
        ]
        k: int = Field(config.k, ge=1, le=config.max_k, description='Codes for each text.')
        classification: str = Field(
            NAICS2022,
            max_length=LONGEST_CLASSIFICATION,
            description=CLASSIFICATION,
            examples=list(EDITIONS),
        )
        level: int | None = Field(None, ge=HIGHEST, le=LEVELS[-1], description=LEVEL)
        confidence: float = Field(
            config.confidence,
            gt=0,
            le=1,
            description='Least probability of the confident code.',
        )
        evidence: int = Field(
            0,
            ge=0,
            le=config.max_evidence,
            description='Training texts and matching terms for each code; six-digit codes only.',
        )
        ask: bool = Field(False, description='Whether to return the question that helps most.')
        coverage: float | None = Field(
            None,
            gt=0,
            lt=1,
            description='Probability with which `code_set` shall hold the right code.',
        )
        replies: list[answers.Reply] = Field(
            [],
            max_length=MOST_REPLIES,
            description='Answers to questions about the text, in their order; for one text only.',
        )

    return CodeRequest


def code_request_examples() -> dict[str, Any]:
    """Return the examples of the OpenAPI document."""
    return {
        'one': {'summary': 'One text', 'value': {'texts': 'dog grooming salon'}},
        'batch': {
            'summary': 'A batch, with evidence',
            'value': {
                'texts': ['we install roofs', 'custom software for banks'],
                'k': 3,
                'confidence': 0.9,
                'evidence': 2,
            },
        },
        'classification': {
            'summary': 'Classes of ISIC Rev. 4',
            'value': {'texts': 'dog grooming salon', 'classification': 'isic4'},
        },
    }


def codes_wanted(classification: str, level: int | None, field: str) -> tuple[str, int]:
    """Return the name of a classification, and the level of the codes.

    Args:
        classification: in any spelling.
        level: the deepest of the classification where None.
        field: what the fields of the request are in: ``body`` or ``query``.

    Raises:
        ProblemError: there is no such classification, or it has no such level.
    """
    where = 'classification'
    try:
        name = classification_name(classification)
        levels = levels_of(name)
        where = 'level'
        level = levels[-1] if level is None else level
        check_k_and_level(1, level, levels)
    except UserError as error:
        raise ProblemError(422, str(error), [(f'{field}.{where}', str(error))]) from error
    return name, level


def text_problem(
    texts: Sequence[str], config: ServiceConfig, field: str = 'body.texts'
) -> ProblemError | None:
    """Return what is wrong with texts, each named by its position; None for good ones."""
    faults = []
    for position, text in enumerate(texts):
        where = f'{field}.{position}' if len(texts) > 1 else field
        if len(text) > config.max_characters:
            faults.append(
                (where, f'has {len(text)} characters, at most {config.max_characters} are read')
            )
        elif (fault := text_fault(text)) is not None:
            faults.append((where, fault))
    if not faults:
        return None
    return ProblemError(422, f'{len(faults)} of {len(texts)} texts cannot be coded', faults)
