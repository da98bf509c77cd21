"""All about a code: its place in the tree, what is like it, and what its text sends elsewhere."""

from dataclasses import dataclass

from naics_embed.search.code_lookup import looks_like_code as looks_like_code
from naics_embed.search.code_table import Code, CodeTable, Neighbour, Redirection
from naics_embed.search.code_texts import CodeTexts
from naics_embed.search.likeness import TREE
from naics_embed.taxonomy import LEVELS, canonical_code


@dataclass(frozen=True)
class CodeCard(Code):
    """All about a code.

    Attributes:
        vintage: of NAICS.
        path: from the sector to the code itself.
        children: codes one level down.
        similar: the nearest codes of the same level.
        redirections: activities that its text sends elsewhere.
        texts: definition, examples, index entries and known texts, where the bundle has some.
    """

    vintage: int
    path: tuple[Code, ...]
    children: tuple[Code, ...]
    similar: tuple[Neighbour, ...]
    redirections: tuple[Redirection, ...]
    texts: CodeTexts


def card_of(table: CodeTable, code: str, similar: int, by: str = TREE) -> CodeCard:
    """Return all about a code.

    Args:
        table: the codes.
        code: in any accepted spelling.
        similar: how many similar codes.
        by: how they are found, as in `CodeTable.similar`.

    Raises:
        CodeError: there is no such code; the message names what it became, or near ones.
    """
    entry = table[code]
    return CodeCard(
        **vars(entry),
        vintage=table.vintage,
        path=path_of(table, entry.code),
        children=tuple(table.children(entry.code)),
        similar=tuple(table.similar(entry.code, similar, by=by) if similar else ()),
        redirections=tuple(table.redirections(entry.code) if table.has_redirections else ()),
        texts=table.texts(entry.code),
    )


def path_of(table: CodeTable, code: str) -> tuple[Code, ...]:
    """Return the codes from the sector to a canonical code itself."""
    steps = range(LEVELS[0], len(code) + 1)
    return tuple(table[canonical_code(code[:digits])] for digits in steps)
