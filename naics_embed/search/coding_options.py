"""Options of coding a table, as people give them, checked: one reading for every way in."""

from collections.abc import Sequence
from dataclasses import dataclass

from naics_embed.classifications.names import NAICS2022, edition_of, levels_of
from naics_embed.errors import UserError
from naics_embed.evidence.prior_settings import PriorCodeSettings
from naics_embed.search.code_values import AUTO
from naics_embed.search.coded_columns import PREFIX, ColumnOptions
from naics_embed.search.options import check_confidence, check_k_and_level
from naics_embed.search.prior_column import PriorColumn


@dataclass(frozen=True)
class CodingOptions:
    """Options of coding a table that were checked.

    Attributes:
        level: of the best code; the deepest of its classification where none was given.
        confidence: least probability of the confident code.
        columns: the columns that are added.
        prior: the column with codes that rows have already; None where there is none.
    """

    level: int
    confidence: float
    columns: ColumnOptions
    prior: PriorColumn | None


def coding_options(
    *,
    level: int | None,
    confidence: float,
    top: int = 1,
    columns: Sequence[str] | None = None,
    prefix: str | None = None,
    provenance: bool = False,
    classification: str = NAICS2022,
    own: str = NAICS2022,
    prior_column: str | None = None,
    prior_vintage: int | str = AUTO,
    prior_settings: PriorCodeSettings | None = None,
) -> CodingOptions:
    """Check the options of coding a table.

    Args:
        level: of the best code; the deepest of the classification where None.
        confidence: least probability of the confident code.
        top: how many ranked codes.
        columns: columns to add, without the prefix; all where None.
        prefix: what their names begin with; ``naics_``, or the classification, where None.
        provenance: whether bundle, time and the like are columns too.
        classification: of the codes, in any spelling of its name.
        own: that of the bundle.
        prior_column: column with codes that rows have already.
        prior_vintage: of these codes: 2012, 2017, 2022, ``auto`` or ``sic``.
        prior_settings: what is expected of them.

    Raises:
        UserError: an option is unknown or out of range, or two do not go together.
    """
    edition = edition_of(classification)
    levels = levels_of(edition.name)
    level = levels[-1] if level is None else level
    check_k_and_level(top, level, levels)
    check_confidence(confidence)
    same = edition.name == own
    if prefix is None:
        prefix = PREFIX if same else f'{edition.name}_'
    added = ColumnOptions(
        prefix,
        top,
        None if columns is None else tuple(columns),
        provenance,
        classification=edition.name,
    )
    # An unknown name is told before any work.
    _ = added.chosen
    if prior_column is None:
        return CodingOptions(level, confidence, added, None)
    if not same:
        raise UserError(f'--prior-column is for {own} only, not for {edition.name}')
    spelled = str(prior_vintage).casefold()
    vintage = int(spelled) if spelled.isdigit() else spelled
    prior = PriorColumn(prior_column, vintage, prior_settings or PriorCodeSettings())
    prior.check_vintage()
    return CodingOptions(level, confidence, added, prior)
