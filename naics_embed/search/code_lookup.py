"""Whether codes exist, before anything large is loaded: this needs neither torch nor an encoder."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from naics_embed.bundle.storage import Bundle
from naics_embed.classifications.names import EDITIONS
from naics_embed.classifications.successors import became
from naics_embed.errors import CodeError
from naics_embed.taxonomy import Taxonomy, canonical_code, official_code


def looks_like_code(text: str) -> bool:
    """Whether a text is spelled as a code: two to six digits, or a sector range."""
    try:
        canonical_code(text)
    except CodeError:
        return False
    return True


def check_codes(path: Path, codes: Sequence[str]) -> None:
    """Raise CodeError for the first code that the table of a bundle lacks.

    Args:
        path: directory of the bundle.
        codes: in any accepted spelling; with none, nothing is read.
    """
    if not codes:
        return
    table = Bundle.load(path, verify=False).codes()
    taxonomy = Taxonomy(table['code'].to_list())
    for code in codes:
        position_of(taxonomy, code, int(table['vintage'][0]))


def position_of(taxonomy: Taxonomy, code: str | int, vintage: int) -> int:
    """Return the position of a code.

    Raises:
        CodeError: there is no such code. The message names what it became since the vintage
            before, its nearest ancestor here, or codes that look alike.
    """
    key = taxonomy.canonical(code)
    if key in taxonomy:
        return taxonomy.index(key)
    hints = []
    successors = became(key)
    if successors is not None:
        name, later = successors
        hints.append(f'it is a code of {EDITIONS[name].label} that became {", ".join(later)}')
    above = [key[:n] for n in range(len(key) - 1, 1, -1) if canonical_code(key[:n]) in taxonomy]
    if above:
        nearest = taxonomy.index(canonical_code(above[0]))
        children = [taxonomy.codes[i] for i in taxonomy.children[nearest]]
        official = official_code(taxonomy.codes[nearest])
        hints.append(f'under {official} there are {", ".join(children)}')
    else:
        near = difflib.get_close_matches(key, taxonomy.codes, n=3, cutoff=0.6)
        hints += [f'near it: {", ".join(near)}'] if near else []
    hint = f'; {"; ".join(hints)}' if hints else ''
    raise CodeError(f'{code} is not a code of NAICS {vintage}{hint}')
