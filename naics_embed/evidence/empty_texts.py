"""Texts that name no activity, so that a code for them would be a guess."""

import re
import unicodedata

PLACEHOLDERS = frozenset(
    {
        'n a',
        'na',
        'nan',
        'nil',
        'none',
        'null',
        'no',
        'yes',
        'not applicable',
        'not available',
        'not provided',
        'not specified',
        'not stated',
        'unknown',
        'undetermined',
        'unclassified',
        'unspecified',
        'other',
        'others',
        'misc',
        'miscellaneous',
        'various',
        'general',
        'business',
        'company',
        'self',
        'same',
        'same as above',
        'same as before',
        'as above',
        'see above',
        'see below',
        'see attached',
        'see attachment',
        'see website',
        'see web site',
        'see notes',
        'to be determined',
        'tbd',
        'tba',
        'test',
        'pending',
        'confidential',
        'redacted',
        'refused',
        'do not know',
        'dont know',
        'no description',
        'no response',
        'description',
        'blank',
        'default',
        'xxx',
        'x',
    }
)
"""Texts that fill in for a missing description, in small letters and without punctuation."""
ADDRESS = re.compile(r'(?:https?://|www\.)\S+|\S+@\S+\.\S+', re.IGNORECASE)
LEAST_LETTERS = 3


def says_nothing(text: str) -> bool:
    """Whether a text has no words that could name an activity.

    True for placeholders such as "N/A" or "see attached", numbers, punctuation, and an address of a
    web page or of mail alone.

    Example:
        >>> says_nothing('N/A'), says_nothing('see attached'), says_nothing('spa')
        (True, True, False)
    """
    words = ADDRESS.sub(' ', unicodedata.normalize('NFKC', text)).casefold().replace('’', "'")
    words = words.replace("'", '')
    words = ' '.join(re.findall(r'[^\W_]+', words))
    if words in PLACEHOLDERS:
        return True
    letters = [character for character in words if character.isalpha()]
    alphabetic = all(character.isascii() for character in letters)
    return len(letters) < (LEAST_LETTERS if alphabetic else 1)
