"""The tools of the MCP server: what an assistant may ask."""

from dataclasses import asdict
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from naics_embed import __version__
from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.names import NAICS2022
from naics_embed.errors import UserError
from naics_embed.search.suggest import Suggestion
from naics_embed.service import answers
from naics_embed.service.engine import Engine
from naics_embed.service.extras import Wanted
from naics_embed.service.problems import ProblemError
from naics_embed.service.requests import (
    CLASSIFICATION,
    HIGHEST,
    LEVEL,
    LONGEST_CLASSIFICATION,
    codes_wanted,
)
from naics_embed.taxonomy import LEAF_LEVEL

NAME = 'naics-embed'
INSTRUCTIONS = (
    'Industry codes (NAICS 2022; others on demand) for descriptions of businesses. Use `code` for '
    'what a business does: it gives ranked codes with calibrated probabilities and the deepest '
    'code that is probable enough. Do not state a code that is not in an answer. Use `card` to '
    'explain a code, `concord` for codes of other vintages and classifications, `search` to find '
    'codes by words of their titles.'
)
READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
MOST_TEXTS = 50
MOST_CODES = 20
LONGEST = 5000

Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def make_server(engine: Engine) -> MCPServer[Any]:
    """Return the server of a loaded bundle; it keeps nothing between calls.

    Args:
        engine: what answers.
    """
    server: MCPServer[Any] = MCPServer(
        NAME, instructions=INSTRUCTIONS, version=__version__, log_level='WARNING'
    )

    @server.tool(title='Code descriptions', annotations=READ_ONLY)
    def code(
        texts: Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)],
        k: Annotated[int, Field(ge=1, le=MOST_CODES, description='Codes for each text.')] = 3,
        classification: Annotated[
            str, Field(max_length=LONGEST_CLASSIFICATION, description=CLASSIFICATION)
        ] = NAICS2022,
        level: Annotated[int | None, Field(ge=HIGHEST, le=LEAF_LEVEL, description=LEVEL)] = None,
        confidence: Annotated[
            float, Field(gt=0, le=1, description='Least probability of the confident code.')
        ] = 0.8,
        evidence: Annotated[int, Field(ge=0, le=5, description='Known texts for a code.')] = 1,
    ) -> answers.CodeAnswer:
        """Give ranked industry codes with probabilities for descriptions of businesses."""
        try:
            name, digits = codes_wanted(classification, level, 'arguments')
            # Evidence is about codes of NAICS 2022.
            shown = evidence if name == NAICS2022 else 0
            wanted = Wanted(classification=name)
            return engine.code(texts, k, digits, confidence, shown, wanted)
        except ProblemError as error:
            raise ToolError(error.detail) from error
        except UserError as error:
            raise ToolError(str(error)) from error

    @server.tool(title='Question to ask', annotations=READ_ONLY)
    def question(text: Text) -> answers.CodedText:
        """Give the question that would separate the likely codes of a description best, if any."""
        try:
            coded = engine.code([text], 3, LEAF_LEVEL, 0.8, 0, Wanted(ask=True))
        except UserError as error:
            raise ToolError(str(error)) from error
        return coded.answers[0]

    @server.tool(title='Search codes by words', annotations=READ_ONLY)
    def search(
        words: Annotated[str, Field(min_length=1, max_length=100)],
        limit: Annotated[int, Field(ge=1, le=MOST_CODES)] = 10,
    ) -> list[Suggestion]:
        """Find titles of codes and known activities that have these words or their beginnings."""
        return engine.suggester().suggest(words, limit)

    @server.tool(title='Describe a code', annotations=READ_ONLY)
    def card(
        code: Annotated[str, Field(min_length=1, max_length=16)],
        similar: Annotated[int, Field(ge=0, le=MOST_CODES)] = 5,
    ) -> dict[str, Any]:
        """Give title, path, codes below, similar codes and cross references of a code."""
        try:
            found = engine.card(code, similar)
        except UserError as error:
            raise ToolError(str(error)) from error
        # Coordinates say nothing to a reader.
        return found.model_dump(exclude={'coordinates'})

    @server.tool(title='Translate a code', annotations=READ_ONLY)
    def concord(
        codes: Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)],
        source: Annotated[
            int | str, Field(description='Vintage or classification of the codes.')
        ] = 2017,
        target: Annotated[
            int | str, Field(description='Vintage or classification that is wanted.')
        ] = 2022,
    ) -> list[dict[str, Any]]:
        """Give what codes of one vintage or classification are in another, with fractions."""
        try:
            concordance = Concordance(source, target)
            return [asdict(link) for one in codes for link in concordance.links(one)]
        except UserError as error:
            raise ToolError(str(error)) from error

    return server
