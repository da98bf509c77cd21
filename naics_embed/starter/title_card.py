"""The card of a code where there is neither a bundle nor a starter: its place in the tree."""

from naics_embed.search.card import CodeCard
from naics_embed.search.code_lookup import position_of
from naics_embed.search.code_table import Code
from naics_embed.search.code_texts import CodeTexts
from naics_embed.starter.texts import titles
from naics_embed.taxonomy import Taxonomy


def title_card(code: str) -> CodeCard:
    """Return title, path and children of a code, from the titles that come with the library.

    Similar codes, cross references and texts need a bundle; there are none.

    Args:
        code: in any accepted spelling.

    Raises:
        CodeError: there is no such code; the message names what it became, or near ones.
    """
    codebook = titles()
    taxonomy = Taxonomy(codebook['code'].to_list())
    named = {
        own: Code(own, official, title, level)
        for own, official, title, level in codebook.select(
            'code', 'official', 'title', 'level'
        ).iter_rows()
    }
    vintage = int(codebook['vintage'][0])
    row = position_of(taxonomy, code, vintage)
    above = [int(one) for one in taxonomy.ancestors[row] if one >= 0 and one != row]
    return CodeCard(
        **vars(named[taxonomy.codes[row]]),
        vintage=vintage,
        path=tuple(named[taxonomy.codes[one]] for one in (*above, row)),
        children=tuple(named[taxonomy.codes[one]] for one in taxonomy.children[row]),
        similar=(),
        redirections=(),
        texts=CodeTexts(),
    )
