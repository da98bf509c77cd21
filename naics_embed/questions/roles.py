"""What a business does with its goods or for its customers, by the beginning of its code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        text: the option that stands for it.
        codes: codes that have it, of any level; the longest that fits a code decides.
    """

    text: str
    codes: tuple[str, ...]


ROLES = (
    Role('It grows crops, raises animals, fishes or logs', ('111', '112', '113', '114')),
    Role('It works for farms and forests, such as harvesting for hire', ('115',)),
    Role('It mines, quarries or drills', ('21',)),
    Role('It supplies power, gas or water', ('22',)),
    Role('It builds or installs on site', ('23',)),
    Role('It makes goods', ('31', '32', '33')),
    Role('It sells goods to other businesses', ('423', '424')),
    Role(
        'It sells for others, as an agent or broker',
        ('425', '4885', '517122', '52421', '5312', '5615', '5223', '52314', '52315', '52316'),
    ),
    Role('It sells goods to the public', ('44', '45')),
    Role(
        'It carries goods or people',
        ('481', '482', '483', '484', '485', '486', '487', '491', '492'),
    ),
    Role('It stores goods for others', ('493',)),
    Role('It supports transport, such as by towing, packing or running a port', ('488',)),
    Role('It publishes, produces or broadcasts content', ('512', '513', '516', '519')),
    Role('It runs networks, hosts data or processes it', ('517', '518')),
    Role('It lends, insures, invests or keeps money', ('52',)),
    Role('It rents out land or buildings', ('5311',)),
    Role('It manages or appraises property for others', ('5313',)),
    Role('It rents out equipment, vehicles or goods', ('532',)),
    Role('It licenses patents, brands or franchises', ('533',)),
    Role('It advises, designs, tests or programs', ('54',)),
    Role('It owns or manages other companies', ('55',)),
    Role('It does office, hiring or call-center work for others', ('5611', '5612', '5613', '5614')),
    Role('It guards or secures', ('5616',)),
    Role('It cleans or cares for buildings and grounds', ('5617',)),
    Role('It offers other support to businesses', ('5619',)),
    Role('It collects, treats or cleans up waste', ('562',)),
    Role('It teaches or trains', ('61',)),
    Role('It treats or cares for people', ('62',)),
    Role('It entertains people or runs sports', ('71',)),
    Role('It lets rooms for short stays', ('721',)),
    Role('It serves meals or drinks', ('722',)),
    Role('It repairs or maintains', ('811',)),
    Role('It serves people in person, such as hair care or laundry', ('812',)),
    Role('It is a church, charity, union or club', ('813',)),
    Role('It is a household that employs people', ('814',)),
    Role('It is part of government', ('92',)),
)
"""Every six-digit code has one of them."""


def role_of(code: str) -> Role:
    """Return the role of a six-digit code.

    Raises:
        KeyError: the code lies in no sector.
    """
    for digits in range(len(code), 1, -1):
        role = _BY_PREFIX.get(code[:digits])
        if role is not None:
            return role
    raise KeyError(code)


_BY_PREFIX = {code: role for role in ROLES for code in role.codes}
