"""Where codes and texts come from."""

from dataclasses import dataclass, fields, replace

from naics_embed.census.edition import read_edition
from naics_embed.census.request import HttpSettings
from naics_embed.errors import ConfigError
from naics_embed.value_checks import one_of, require
from naics_embed.workbooks.limits import WorkbookLimits

SOURCE_KINDS = ('auto', 'census', 'folder', 'package')


@dataclass(frozen=True)
class RolesConfig:
    """How index entries and codes are divided.

    Attributes:
        examples: fraction of entries whose text joins the examples channel of their code.
        train: fraction that are training queries.
        validation: fraction that are validation queries.
        test: fraction that are test queries.
        jaccard: character-trigram similarity from which two texts count as the same.
        structure_holdout: fraction of leaf codes hidden from every loss, half of them for
            validation.
    """

    examples: float
    train: float
    validation: float
    test: float
    jaccard: float
    structure_holdout: float

    def __post_init__(self) -> None:
        total = self.examples + self.train + self.validation + self.test
        if abs(total - 1.0) > 1e-9:
            raise ConfigError(
                'data.roles: examples + train + validation + test must be 1, '
                f'but they add up to {total:g}'
            )
        for role in ('examples', 'validation', 'test'):
            fraction = getattr(self, role)
            require(fraction >= 0, f'data.roles.{role}', fraction, 'at least 0')
        require(self.train > 0, 'data.roles.train', self.train, 'above 0')
        require(0 < self.jaccard <= 1, 'data.roles.jaccard', self.jaccard, 'in (0, 1]')
        hidden = self.structure_holdout
        require(0 <= hidden < 1, 'data.roles.structure_holdout', hidden, 'in [0, 1)')


@dataclass(frozen=True)
class PlainLanguageConfig:
    """Which uses the project's own plain-language corpus is put to.

    Attributes:
        train: train rows are training queries.
        examples: train rows fill the examples channel of a code that has no index entries.
        validation: validation rows take part in model selection.
        test: test rows are scored.
    """

    train: bool
    examples: bool
    validation: bool
    test: bool


VINTAGES = ('auto', '2012', '2017', '2022')


@dataclass(frozen=True)
class LabelledConfig:
    """Files of the user with texts and codes, whose texts become queries of the pipeline.

    Attributes:
        files: tables; none by default.
        text_column: the column of descriptions, in all of them.
        code_column: the column of codes.
        group_column: a column that is the same for texts of one firm; null where there is none.
        vintage: of the codes: auto, 2012, 2017 or 2022.
        max_unknown: largest fraction of rows of a file whose code may be unknown.
    """

    files: tuple[str, ...]
    text_column: str
    code_column: str
    group_column: str | None
    vintage: str
    max_unknown: float

    def __post_init__(self) -> None:
        one_of('data.labelled.vintage', self.vintage, VINTAGES)
        share = self.max_unknown
        require(0 <= share <= 1, 'data.labelled.max_unknown', share, 'in [0, 1]')

    @property
    def year(self) -> int | str:
        """The vintage as `naics_embed.learning.labelled` reads it."""
        return int(self.vintage) if self.vintage.isdigit() else self.vintage

    @property
    def without_files(self) -> 'LabelledConfig':
        """All but the paths, which say nothing of what the files hold."""
        return replace(self, files=())


@dataclass(frozen=True)
class DataConfig:
    """Where codes and texts come from, and how they are divided.

    Attributes:
        edition: of NAICS: naics2012, naics2017, naics2022, or the path of an edition file.
        source: auto, census, folder or package.
        folder: directory with the Census workbooks, for ``folder`` and ``auto``.
        cache: directory in which downloads are kept.
        base_url: address of a mirror of the Census workbooks; null for the Census Bureau's.
        http: how workbooks are fetched.
        workbook: how large a workbook may be.
        roles: how index entries and codes are divided.
        plain_language: uses of the plain-language corpus.
        labelled: labelled texts of the user.
    """

    edition: str
    source: str
    folder: str | None
    cache: str
    base_url: str | None
    http: HttpSettings
    workbook: WorkbookLimits
    roles: RolesConfig
    plain_language: PlainLanguageConfig
    labelled: LabelledConfig

    def __post_init__(self) -> None:
        one_of('data.source', self.source, SOURCE_KINDS)
        read_edition(self.edition)
        for name in ('auto_deadline_s', 'auto_least_rate'):
            require(
                getattr(self.http, name) > 0,
                f'data.http.{name}',
                getattr(self.http, name),
                'above 0',
            )
        for field in fields(self.workbook):
            value = getattr(self.workbook, field.name)
            require(value >= 1, f'data.workbook.{field.name}', value, 'at least 1')
        if self.source == 'folder' and not self.folder:
            raise ConfigError(
                'data.source=folder needs data.folder, the directory that holds the workbooks'
            )
