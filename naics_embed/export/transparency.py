"""The transparency record of a bundle: the fields of the UK's ATRS, version 3.0.

The Algorithmic Transparency Recording Standard says what a public body publishes of a tool that
takes part in decisions. What the bundle knows is filled in; what only the organisation that uses
it knows is left open, and `filled` puts its statements there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from naics_embed.bundle.provenance import LEARNED
from naics_embed.errors import UserError
from naics_embed.export.model_card import LICENSE, MODEL_NAME, SOURCE_NAMES, quality

STANDARD = 'Algorithmic Transparency Recording Standard, version 3.0'
OPEN = '*To be stated by the organisation that uses the tool.*'


@dataclass(frozen=True)
class Entry:
    """A field of the record.

    Attributes:
        number: of the field, such as ``4.2.1``; ``1`` with a letter in tier 1.
        name: of the field in the standard.
        value: what is stated; None where only the organisation that uses the tool can.

    Example:
        >>> Entry('3.2', 'Human review').value is None
        True
    """

    number: str
    name: str
    value: str | None = None


SECTIONS = {
    'T1': 'Tier 1: overview',
    '1': 'Tier 2, 1: owner and responsibility',
    '2': 'Tier 2, 2: description and rationale',
    '3': 'Tier 2, 3: deployment context',
    '4': 'Tier 2, 4: tool specification',
    '5': 'Tier 2, 5: risks, mitigations and impact assessments',
}
"""Beginning of a number → title of its section."""


def transparency_record(
    manifest: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]
) -> list[Entry]:
    """Return the record of a bundle, in the order of the standard.

    Args:
        manifest: of the bundle.
        metrics: ``split/metric`` → ``value``, ``reference``, ``reference_name``.
    """
    source = (manifest.get('source') or {}).get('kind')
    texts = SOURCE_NAMES.get(str(source), 'not recorded')
    learned = manifest.get(LEARNED, ())
    named = '; '.join(f'{each["name"]} ({each["rows"]:,} texts)' for each in learned)
    space = manifest['space']
    vintage = manifest.get('vintage', 2022)
    return [
        Entry('T1.1', 'Name', MODEL_NAME),
        Entry(
            'T1.2',
            'Description',
            'Suggests industry codes (NAICS) for descriptions of businesses, each with the '
            'probability that it is right, and shows the evidence for it.',
        ),
        Entry('T1.3', 'Website URL'),
        Entry('T1.4', 'Contact email'),
        Entry('1.1', 'Organisation or department'),
        Entry('1.2', 'Team'),
        Entry('1.3', 'Senior responsible owner'),
        Entry('1.4', 'Third party involvement'),
        Entry('1.4.1', 'Third party'),
        Entry('1.4.2', 'Companies House number'),
        Entry('1.4.3', 'Third party role'),
        Entry('1.4.4', 'Procurement procedure type'),
        Entry('1.4.5', 'Third party data access terms'),
        Entry(
            '2.1',
            'Detailed description',
            f'A text becomes a point of a hyperbolic space in which the {manifest["codes"]:,} '
            f'codes of NAICS {vintage} are points too. Distance to the codes, words, and known '
            'texts that are alike are weighed together; the weights are fitted so that stated '
            'probabilities are those that come true. Where no six-digit code is probable enough, '
            'the answer is the deepest code above it that is.',
        ),
        Entry('2.2', 'Benefits'),
        Entry('2.3', 'Previous process'),
        Entry('2.4', 'Alternatives considered'),
        Entry('3.1', 'Integration into broader operational process'),
        Entry('3.2', 'Human review'),
        Entry('3.3', 'Frequency and scale of usage'),
        Entry('3.4', 'Required training'),
        Entry('3.5', 'Appeals and review'),
        Entry(
            '4.1.1',
            'System architecture',
            'A library, a command line and an HTTP service that run on the machines of the '
            'organisation. No text leaves them. The same text gets the same answer from the same '
            'bundle.',
        ),
        Entry('4.1.2', 'System-level input', 'Descriptions of businesses, as text.'),
        Entry(
            '4.1.3',
            'System-level output',
            'Ranked codes of 2 to 6 digits with titles and probabilities, the deepest code that '
            'passes a chosen confidence, and known texts and words that speak for each.',
        ),
        Entry('4.1.4', 'Maintenance'),
        Entry('4.1.5', 'Models', f'{_backbone(manifest)}, fine-tuned; a linear fusion of scores.'),
        Entry('4.2.1', 'Model name', MODEL_NAME),
        Entry('4.2.2', 'Model version', f'naics-embed {manifest["library_version"]}'),
        Entry('4.2.3', 'Model task', 'Classification of short texts, with calibrated confidence.'),
        Entry(
            '4.2.4',
            'Model input',
            f'A text, of which {space["window"]} tokens are read by the encoder.',
        ),
        Entry('4.2.5', 'Model output', 'A probability for each six-digit code.'),
        Entry(
            '4.2.6',
            'Model architecture',
            f'A transformer of sentences, and a head that places a text in the Lorentz model of '
            f'hyperbolic space ({space["dim"]} dimensions, curvature −{space["curvature"]:g}).',
        ),
        Entry('4.2.7', 'Model performance', quality(metrics) or None),
        Entry(
            '4.2.8',
            'Datasets and their purposes',
            'Index entries and titles: training and evidence. Plain-language and business texts '
            'written by language models: training, calibration, tests.'
            + (f' Labelled texts: {named}.' if named else ''),
        ),
        Entry('4.3.1', 'Development data description', f'Texts of codes: {texts}.'),
        Entry('4.3.2', 'Data modality', 'Text.'),
        Entry('4.3.3', 'Data quantities', _quantities(manifest)),
        Entry(
            '4.3.4',
            'Sensitive attributes',
            'None in the texts of codes. '
            + ('Labelled texts may have some.' if learned else 'No text describes a person.'),
        ),
        Entry(
            '4.3.5',
            'Data completeness and representativeness',
            'Every code has texts. Written texts are cleaner than those of real firms, and nearly '
            'all are in American English.',
        ),
        Entry('4.3.6', 'Data cleaning', 'Duplicates and texts of several codes are left out.'),
        Entry(
            '4.3.7',
            'Data collection',
            'The Census Bureau publishes index, titles and descriptions; the other texts are part '
            'of naics-embed.',
        ),
        Entry('4.3.8', 'Data access and storage', f'Open; licence of the model: {LICENSE}.'),
        Entry('4.3.9', 'Data sharing agreements', None if learned else 'None are needed.'),
        Entry('4.4.1', 'Operational data sources'),
        Entry('4.4.2', 'Sensitive attributes in operation'),
        Entry(
            '4.4.3',
            'Data processing methods',
            'Texts are read in memory. The service writes no text to its log.',
        ),
        Entry('4.4.4', 'Data access and storage in operation'),
        Entry('4.4.5', 'Data sharing agreements in operation'),
        Entry('5.1', 'Impact assessments'),
        Entry(
            '5.2',
            'Risks and mitigations',
            'A wrong code with a high probability: `naics-embed audit` and samples for review. '
            'Texts unlike the known ones: each answer has a familiarity. A change of the incoming '
            'texts: compare coded files of several weeks. A new model: shadow mode and a rule of '
            'promotion.',
        ),
    ]


def filled(record: list[Entry], own: Mapping[str, Any]) -> list[Entry]:
    """Return a record with statements of the organisation in it.

    Args:
        record: of the bundle.
        own: number of a field → what is stated.

    Raises:
        UserError: there is no such field, or a statement is not text.
    """
    numbers = {entry.number for entry in record}
    for number, value in own.items():
        if str(number) not in numbers:
            raise UserError(
                f'the record has no field {number!r}; its fields are {", ".join(sorted(numbers))}'
            )
        if not isinstance(value, str) or not value.strip():
            raise UserError(f'the statement for {number} must be a text, not {value!r}')
    given = {str(number): value for number, value in own.items()}
    return [replace(entry, value=given.get(entry.number, entry.value)) for entry in record]


def transparency_page(record: list[Entry]) -> str:
    """Return a record as markdown."""
    parts = [
        f'# Transparency record: {MODEL_NAME}\n\nFields of the {STANDARD} of the UK government. '
        'What the bundle does not know is left open: `naics-embed transparency` fills it in.'
    ]
    for begin, title in SECTIONS.items():
        entries = [entry for entry in record if entry.number.partition('.')[0] == begin]
        lines = [f'**{entry.number} {entry.name}.** {entry.value or OPEN}' for entry in entries]
        parts.append(f'## {title}\n\n' + '\n\n'.join(lines))
    return '\n\n'.join(parts) + '\n'


def transparency_text(manifest: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the record of a bundle as markdown, for a file beside its model card."""
    return transparency_page(transparency_record(manifest, metrics))


def _backbone(manifest: Mapping[str, Any]) -> str:
    name = (manifest.get('configuration') or {}).get('backbone', {}).get('name')
    return str(name).rsplit('/', 1)[-1] if name else 'A transformer of sentences'


def _quantities(manifest: Mapping[str, Any]) -> str:
    learned = sum(each['rows'] for each in manifest.get(LEARNED, ()))
    return f'{manifest["codes"]:,} codes' + (f'; {learned:,} labelled texts' if learned else '')
