"""Terms in titles that tell codes apart, with the question that asks for them."""

import re
from dataclasses import dataclass

from naics_embed.questions.question import MATERIAL, SPLIT

_EXCEPT = re.compile(r'\([^)]*\bexcept\b[^)]*\)')


@dataclass(frozen=True)
class Split:
    """A question about one property.

    Attributes:
        kind: `MATERIAL` or `SPLIT`.
        prompt: the question.
        options: text of each option, and the pattern that titles of its codes match.
        within: beginnings of the codes that it is about.
    """

    kind: str
    prompt: str
    options: tuple[tuple[str, re.Pattern[str]], ...]
    within: tuple[str, ...]

    def option_of(self, code: str, title: str) -> int | None:
        """Return the number of the option that a code belongs to; None where none or several."""
        if not code.startswith(self.within):
            return None
        kept = _EXCEPT.sub(' ', title)
        found = [i for i, (_, pattern) in enumerate(self.options) if pattern.search(kept)]
        return found[0] if len(found) == 1 else None


def _split(
    prompt: str, within: tuple[str, ...], *options: tuple[str, str], kind: str = SPLIT
) -> Split:
    compiled = tuple((text, re.compile(pattern, re.IGNORECASE)) for text, pattern in options)
    return Split(kind, prompt, compiled, within)


SPLITS = (
    _split(
        'What are its products mainly made of?',
        ('31', '32', '33'),
        ('Wood', r'\b(wood|hardwood|softwood)\b'),
        ('Metal', r'\b(metal|iron|steel|aluminum|copper)\b'),
        ('Plastics', r'\bplastics?\b'),
        ('Rubber', r'\brubber\b'),
        ('Glass', r'\bglass\b'),
        ('Paper or board', r'\b(paper|paperboard)\b'),
        ('Leather', r'\bleather\b'),
        ('Fabric or yarn', r'\b(textile|fabric|knit|fiber|yarn|apparel)\b'),
        ('Concrete or cement', r'\b(concrete|cement)\b'),
        ('Clay or ceramics', r'\b(clay|ceramics?|pottery)\b'),
        kind=MATERIAL,
    ),
    _split(
        'What are the goods that it sells mainly made of?',
        ('423', '424'),
        ('Wood', r'\b(wood|lumber)\b'),
        ('Metal', r'\bmetals?\b'),
        ('Plastics', r'\bplastics?\b'),
        ('Paper or board', r'\b(paper|paperboard)\b'),
        ('Stone, brick or concrete', r'\b(brick|stone)\b'),
        kind=MATERIAL,
    ),
    _split(
        'Which buildings does it mainly build, rent out or manage?',
        ('236', '5311', '5313'),
        ('Homes', r'\b(residential|housing|single-family|multifamily)\b'),
        ('Factories', r'\bindustrial\b'),
        ('Other buildings', r'\b(commercial|nonresidential)\b'),
    ),
    _split(
        'Are the goods that it sells mainly new or used?',
        ('44', '45', '423'),
        ('New', r'\bnew\b'),
        ('Used', r'\bused\b'),
    ),
    _split(
        'Does it mainly drive locally or over long distances?',
        ('484', '485'),
        ('Locally', r'\blocal\b'),
        ('Over long distances', r'\blong-distance\b'),
    ),
    _split(
        'Does it mainly carry full truckloads or parts of loads?',
        ('4841',),
        ('Full truckloads', r'(?<!less than )\btruckload'),
        ('Parts of loads', r'\bless than truckload'),
    ),
    _split(
        'Do its trucks carry ordinary freight or goods that need special trucks?',
        ('484',),
        ('Ordinary freight', r'\bgeneral freight\b'),
        ('Household or office goods', r'\bused household and office goods\b'),
        ('Goods that need special trucks', r'\bspecialized freight\b'),
    ),
    _split(
        'Does it mainly carry people or freight?',
        ('481', '483', '482'),
        ('People', r'\bpassenger\b'),
        ('Freight', r'\bfreight\b'),
    ),
    _split(
        'Where do its ships mainly sail?',
        ('483',),
        ('On the high seas', r'\bdeep sea\b'),
        ('Along the coast or on the Great Lakes', r'\b(coastal|great lakes)\b'),
        ('On rivers, canals and lakes', r'\binland\b'),
    ),
    _split(
        'Do waiters serve the guests at their tables?',
        ('7225',),
        ('Yes', r'\bfull-service\b'),
        ('No, guests order at a counter', r'\b(limited-service|snack|cafeterias)\b'),
    ),
    _split(
        'What does it mainly insure?',
        ('5241',),
        ('Lives', r'\blife\b'),
        ('Health', r'\bhealth and medical\b'),
        ('Property and liability', r'\bproperty and casualty\b'),
        ('Titles to land', r'\btitle\b'),
    ),
    _split(
        'What does it make power from?',
        ('2211',),
        ('Water', r'\bhydro'),
        ('Coal, oil or gas', r'\bfossil\b'),
        ('Nuclear fuel', r'\bnuclear\b'),
        ('Sunlight', r'\bsolar\b'),
        ('Wind', r'\bwind\b'),
        ('Heat of the earth', r'\bgeothermal\b'),
        ('Plants or waste', r'\bbiomass\b'),
    ),
    _split(
        'Does it provide lines or wireless service?',
        ('517',),
        ('Lines', r'\bwired\b'),
        ('Wireless service', r'\bwireless\b'),
        ('Satellite service', r'\bsatellite\b'),
    ),
    _split(
        'Does it mainly rent or repair things for consumers or for businesses?',
        ('532', '811'),
        ('Consumers', r'\b(consumer|household|personal|home)\b'),
        ('Businesses', r'\b(commercial|industrial|office)\b'),
    ),
)
"""In the order in which they are preferred."""
