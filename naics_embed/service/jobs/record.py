"""What is known of a job, as it is kept in its folder."""

from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from naics_embed.artifacts import read_json, write_json
from naics_embed.classifications.names import NAICS2022
from naics_embed.errors import ArtifactError, UserError
from naics_embed.search.bulk import FileJob
from naics_embed.search.code_values import AUTO
from naics_embed.search.coding_options import CodingOptions, coding_options
from naics_embed.search.text_columns import TextColumns, text_columns
from naics_embed.tabular.dialect import DialectOptions
from naics_embed.tabular.open import ReadOptions

RECORD = 'job.json'
QUEUED, RUNNING, DONE, FAILED, CANCELLED = 'queued', 'running', 'done', 'failed', 'cancelled'
ENDED = (DONE, FAILED, CANCELLED)


@dataclass(frozen=True)
class JobOptions:
    """How a file is coded; the options of ``naics-embed code``.

    Attributes:
        text_column: the columns of descriptions.
        weight: ``COLUMN=WEIGHT`` of columns that say less.
        level: of the best code; the deepest of the classification where None.
        confidence: least probability of the confident code.
        top: how many ranked codes.
        columns: columns to add, without the prefix; all where None.
        prefix: what their names begin with; ``naics_``, or the classification, where None.
        provenance: whether bundle, time and the like are columns too.
        delimiter: of a text file; detected where None.
        encoding: the same.
        quote: the same.
        skip_rows: the same.
        header: whether the first row of a text file has names.
        sheet: of a workbook; the first where None.
        classification: of the codes.
        prior_column: a column with codes that rows have already.
        prior_vintage: of these codes.
    """

    text_column: tuple[str, ...] = ('text',)
    weight: tuple[str, ...] = ()
    level: int | None = None
    confidence: float = 0.8
    top: int = 1
    columns: tuple[str, ...] | None = None
    prefix: str | None = None
    provenance: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    quote: str | None = None
    skip_rows: int | None = None
    header: bool = True
    sheet: str | None = None
    classification: str = NAICS2022
    prior_column: str | None = None
    prior_vintage: str = AUTO

    def texts(self) -> TextColumns:
        """Return the columns of texts. Raises UserError for a wrong weight."""
        return text_columns(self.text_column, self.weight)

    def coding(self) -> CodingOptions:
        """Return how rows are coded. Raises UserError for an option that is wrong."""
        return coding_options(
            level=self.level,
            confidence=self.confidence,
            top=self.top,
            columns=self.columns,
            prefix=self.prefix,
            provenance=self.provenance,
            classification=self.classification,
            prior_column=self.prior_column,
            prior_vintage=self.prior_vintage,
        )

    @property
    def plain_dialect(self) -> bool:
        """Whether a text file is read as the flow ``code-batch`` reads it."""
        return self.quote is None and self.skip_rows is None and self.header

    def reading(self) -> ReadOptions:
        """Return how the file is read. Raises UserError for a dialect that is none."""
        dialect = DialectOptions(
            self.encoding, self.delimiter, self.quote, self.skip_rows, self.header
        )
        return ReadOptions(dialect.checked(), self.sheet)


@dataclass
class Job:
    """A job.

    Attributes:
        id: its name and that of its folder.
        source: name of the file in its folder.
        result: name of the result in its folder.
        options: how it is coded.
        owner: id of the key that made it; None without keys.
        created: when it was made, UTC.
        state: queued, running, done, failed or cancelled.
        started: when it began.
        ended: when it ended.
        total: rows, where that is known before; for text its lines.
        rows: rows that are done.
        bad: rows that cannot be read.
        bundle: key of the bundle that codes it.
        error: why it failed.
        flow_run: run of the deployment that codes it; None where the service does.
        notes: what was detected in the file.
    """

    id: str
    source: str
    result: str
    options: JobOptions = field(default_factory=JobOptions)
    owner: str | None = None
    created: str = field(default_factory=lambda: now())
    state: str = QUEUED
    started: str | None = None
    ended: str | None = None
    total: int | None = None
    rows: int = 0
    bad: int = 0
    bundle: str | None = None
    error: str | None = None
    flow_run: str | None = None
    notes: tuple[str, ...] = ()

    def file_job(self, folder: Path, part_rows: int) -> FileJob:
        """Return what is to be coded, for `naics_embed.search.bulk.code_file`.

        Args:
            folder: of the job.
            part_rows: rows coded and saved at a time.

        Raises:
            UserError: an option is wrong.
        """
        options, coding = self.options, self.options.coding()
        return FileJob(
            folder / self.source,
            options.texts(),
            folder / self.result,
            coding.level,
            coding.confidence,
            part_rows,
            options.reading(),
            coding.columns,
            coding.prior,
        )

    def message(self, error: UserError, folder: Path, name: str = 'the file') -> str:
        """Return an error as a client may read it: without folders of this machine."""
        message = str(error)
        for path, shown in ((folder / self.source, name), (folder / self.result, 'the result')):
            for spelled in (str(path), str(path.resolve())):
                message = message.replace(spelled, shown)
        return message.replace(str(folder), 'the job')

    def write(self, folder: Path) -> None:
        """Write the record into the folder of the job."""
        write_json(folder / RECORD, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> 'Job':
        """Read the record of a folder. Raises ArtifactError where it is damaged."""
        content: dict[str, Any] = read_json(folder / RECORD)
        try:
            options: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in content['options'].items()
            }
            known = {one.name for one in fields(cls)}
            values = {name: value for name, value in content.items() if name in known}
            notes = tuple(values.get('notes', ()))
            return cls(**{**values, 'options': JobOptions(**options), 'notes': notes})
        except (AttributeError, KeyError, TypeError) as error:
            raise ArtifactError(
                f'{folder / RECORD} is damaged ({error}); delete {folder}'
            ) from error


def now() -> str:
    """Return the time, UTC."""
    return datetime.now(UTC).isoformat(timespec='seconds')
