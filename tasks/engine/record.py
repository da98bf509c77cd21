"""What a stage left behind: in memory with the paths of this host, stored relative to the root."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from naics_embed.artifacts import Artifact
from naics_embed.errors import ArtifactError


@dataclass(frozen=True)
class Record:
    """What a stage left behind.

    Attributes:
        stage: name of the stage.
        key: its content key.
        files: its outputs.
        metrics: numbers it logged.
        facts: small JSON values.
        run_id: MLflow run that computed it.
        seconds: how long that took.
        cached: whether this pipeline found it ready, here or in the remote cache.
    """

    stage: str
    key: str
    files: dict[str, Artifact]
    metrics: dict[str, float]
    facts: dict[str, Any]
    run_id: str
    seconds: float
    cached: bool = False

    def __getitem__(self, name: str) -> Artifact:
        return self.files[name]

    def path(self, name: str) -> Path:
        """Where an output lies."""
        return Path(self.files[name].path)

    def intact(self) -> bool:
        """Whether every output is there as recorded."""
        return all(artifact.intact() for artifact in self.files.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, cached: bool = False) -> 'Record':
        """Rebuild the record from `to_dict`; ``cached`` where it was found ready."""
        files = {name: Artifact.from_dict(entry) for name, entry in values['files'].items()}
        return cls(**{**values, 'files': files, 'cached': cached})

    def stored(self, root: Path) -> dict[str, Any]:
        """Return plain JSON values whose paths hold wherever the artifact root lies.

        Args:
            root: the artifact root.

        Raises:
            ArtifactError: an output lies outside ``<root>/<stage>/<key>``.
        """
        folder = (root / self.stage / self.key).resolve()
        files = {}
        for name, artifact in self.files.items():
            path = Path(artifact.path)
            if not path.is_relative_to(folder):
                raise ArtifactError(
                    f'{self.stage}: its output {name} lies at {path}, outside {folder}; a stage '
                    'writes into the folder that it is given only'
                )
            inner = path.relative_to(folder)
            relative = PurePosixPath(self.stage, self.key, *inner.parts).as_posix()
            files[name] = replace(artifact, path=relative)
        return replace(self, files=files).to_dict()

    @classmethod
    def from_stored(
        cls, values: Any, stage: str, key: str, root: Path, *, cached: bool = False
    ) -> 'Record':
        """Rebuild a record from what is stored, with paths under ``root``.

        Older records have absolute paths. What follows ``<stage>/<key>`` in them is taken, so that
        they are found in a root that has been moved as well.

        Args:
            values: what `stored` returned, here or on another host.
            stage: the stage that it has to be of.
            key: the key that it has to be of.
            root: the artifact root.
            cached: whether it was found ready.

        Raises:
            ArtifactError: it is no record of this stage and key, or names a path outside their
                folder.
        """
        try:
            record = cls.from_dict(values, cached=cached)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f'{stage}: its stored record is damaged ({error!r})') from error
        if (record.stage, record.key) != (stage, key):
            raise ArtifactError(
                f'{stage}: what is stored under {key} is the record of {record.stage} {record.key}'
            )
        folder = (root / stage / key).resolve()
        files = {
            name: replace(artifact, path=str(_under(folder, stage, key, artifact.path)))
            for name, artifact in record.files.items()
        }
        return replace(record, files=files)


def _under(folder: Path, stage: str, key: str, path: str) -> Path:
    parts = PurePosixPath(path).parts
    starts = [n for n in range(len(parts)) if parts[n : n + 2] == (stage, key)]
    start = starts[-1] if starts else -1
    absolute = path.startswith('/')
    if start < 0 or (start > 0 and not absolute):
        raise ArtifactError(f'{stage}: its stored record names {path}, which is not its own')
    resolved = folder.joinpath(*parts[start + 2 :]).resolve()
    if not resolved.is_relative_to(folder):
        raise ArtifactError(f'{stage}: its stored record names {path}, which lies outside {folder}')
    return resolved
