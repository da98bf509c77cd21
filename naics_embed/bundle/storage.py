"""The bundle: a directory with a table of codes and the encoder that embeds texts in its space.

- ``codes.parquet``: ``code``, ``official``, ``vintage``, ``level``, ``title``, ``supervised``,
  ``radius`` and the tangent coordinates at the origin, ``x00`` … (float32);
- ``encoder/``: ``config.json``, ``model.safetensors``, ``tokenizer.json`` of a plain transformer,
  and ``head.safetensors``;
- ``coder/``, where the run fitted one: what `naics_embed.Coder` weighs beside the distance;
- ``disk.parquet``, where the run drew one: ``code``, ``x``, ``y`` in the Poincaré disk;
- ``metrics.json``: ``split/metric`` → value, reference, name of the reference;
- ``MODEL_CARD.md``, where the run wrote one: the same for people and for the Hugging Face hub;
- ``TRANSPARENCY.md``, where the run wrote one: a transparency record, beside the model card;
- ``manifest.json``: what the table is, which distance to use, where it came from, and the checksums
  of all other files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

import numpy as np
import polars as pl

from naics_embed import __version__
from naics_embed.artifacts import MANIFEST, atomic_directory, checksum, read_json, write_json
from naics_embed.errors import ArtifactError

FORMAT = 1
CODES = 'codes.parquet'
METRICS = 'metrics.json'
MODEL_CARD = 'MODEL_CARD.md'
TRANSPARENCY = 'TRANSPARENCY.md'
ENCODER = 'encoder'
CODER = 'coder'
DISK = 'disk.parquet'
HEAD = 'head.safetensors'
ENCODER_FILES = ('config.json', 'model.safetensors', 'tokenizer.json', HEAD)
BUNDLE_FILES = (CODES, METRICS, *(f'{ENCODER}/{name}' for name in ENCODER_FILES))
COORDINATE = 'x'
Page = Callable[[dict[str, Any], dict[str, dict[str, Any]]], str]
"""Makes a page from the manifest and the metrics."""

DISTANCE_NOTE = (
    'Use the geodesic distance of the Lorentz model: points are the exponential map at the origin '
    'of the coordinates, and naics_embed.geometry.lorentz.pairwise_distance compares them. Cosine '
    'and Euclidean distance of the coordinates are not what the table was trained for. As columns '
    'of a linear model, use the coordinates as they are (log map at the origin), standardised.'
)


@dataclass(frozen=True)
class Space:
    """The Lorentz space of a table.

    Attributes:
        dim: dimensions.
        curvature: c > 0; the space has curvature −c.
        r_max: bound of the radius.
        temperature: factor on the distance that turns it into logits; not calibrated.
        window: tokens of a text that the encoder reads.
    """

    dim: int
    curvature: float
    r_max: float
    temperature: float
    window: int


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, checked.

    Attributes:
        path: its directory.
        space: its Lorentz space.
        manifest: all of ``manifest.json``.
    """

    path: Path
    space: Space
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        """Return what it is, for shells and notebooks; the manifest would fill a screen."""
        kind = 'starter, not trained' if self.starter else self.manifest.get('table', 'table')
        codes, dim = self.manifest.get('codes', 0), self.space.dim
        return f'Bundle({str(self.path)!r}: {kind}, {codes:,} codes, {dim} dimensions)'

    @property
    def starter(self) -> bool:
        """Whether it was built without training, for the first minute."""
        return bool(self.manifest.get('starter', False))

    @classmethod
    def load(cls, path: Path, *, verify: bool = True) -> 'Bundle':
        """Open a bundle.

        Args:
            path: its directory.
            verify: compare every file with its checksum; takes a moment for the weights.

        Raises:
            ArtifactError: a file is missing or altered, or the format is another one.
        """
        if not (path / MANIFEST).is_file():
            raise ArtifactError(f'{path} is no bundle: it has no {MANIFEST}')
        manifest = read_json(path / MANIFEST)
        if not isinstance(manifest, dict):
            raise ArtifactError(f'{path / MANIFEST} is not the manifest of a bundle')
        if manifest.get('format') != FORMAT:
            raise ArtifactError(
                f'{path} has bundle format {manifest.get("format")}, this version reads {FORMAT}; '
                'export the table again, or install the version that wrote it '
                f'({manifest.get("library_version")})'
            )
        try:
            files, space = manifest['files'], Space(**manifest['space'])
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                f'{path / MANIFEST} is incomplete ({error}); export the table again'
            ) from error
        unlisted = [name for name in BUNDLE_FILES if name not in files]
        if unlisted:
            raise ArtifactError(
                f'{path / MANIFEST} does not list {", ".join(unlisted)}; export the table again'
            )
        # transformers reads whatever lies in its folder: an adapter there would change the answers.
        present = {file.relative_to(path).as_posix() for file in (path / ENCODER).rglob('*')}
        if present - set(files):
            raise ArtifactError(
                f'bundle {path} holds {min(present - set(files))}, which its manifest does not '
                'list; remove it, or export the table again'
            )
        for name, digest in files.items():
            file = path / name
            if not file.is_file():
                raise ArtifactError(f'bundle {path} lacks {name}; export the table again')
            if verify and checksum(file)[0] != digest:
                raise ArtifactError(
                    f'{file} was altered since it was exported; export the table again'
                )
        return cls(path, space, manifest)

    def codes(self) -> pl.DataFrame:
        """Read the table of codes."""
        return pl.read_parquet(self.path / CODES)

    def tangents(self) -> np.ndarray:
        """Return the tangent coordinates, float64 ``(n, dim)``, in the order of `codes`."""
        names = coordinate_names(self.space.dim)
        return self.codes().select(names).to_numpy().astype(np.float64)

    def disk(self) -> np.ndarray | None:
        """Return the points of the Poincaré disk, float64 ``(n, 2)``, in the order of `codes`.

        None for a bundle without them.

        Raises:
            ArtifactError: a code has no point.
        """
        if DISK not in self.manifest['files']:
            return None
        points = self.codes().join(
            pl.read_parquet(self.path / DISK), on='code', how='left', maintain_order='left'
        )
        lost = points.filter(pl.col('x').is_null() | pl.col('y').is_null())['code']
        if len(lost):
            raise ArtifactError(f'{self.path / DISK} lacks code {lost[0]}; export the table again')
        return points.select('x', 'y').to_numpy().astype(np.float64)

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Return ``split/metric`` → ``value``, ``reference``, ``reference_name``."""
        return read_json(self.path / METRICS)

    @property
    def encoder(self) -> Path:
        """The directory of the encoder."""
        return self.path / ENCODER


def coordinate_names(dim: int) -> list[str]:
    """Return the names of the coordinate columns: ``x00``, ``x01``, …"""
    width = max(2, len(str(dim - 1)))
    return [f'{COORDINATE}{i:0{width}d}' for i in range(dim)]


def write_bundle(
    path: Path,
    codebook: pl.DataFrame,
    supervised: np.ndarray,
    tangents: np.ndarray,
    encoder: Path,
    space: Space,
    metrics: dict[str, dict[str, Any]],
    facts: dict[str, Any],
    coder: Path | None = None,
    disk: Path | None = None,
    card: Page | None = None,
    transparency: Page | None = None,
) -> None:
    """Write a bundle, whole or not at all.

    Args:
        path: its directory; an existing one is replaced.
        codebook: ``code``, ``official``, ``vintage``, ``level``, ``title``, n rows.
        supervised: bool ``(n,)``, false for codes embedded from their texts alone.
        tangents: float ``(n, dim)`` at the origin.
        encoder: directory with the files of `ENCODER_FILES`.
        space: the Lorentz space.
        metrics: metrics of the run.
        facts: anything else for the manifest: source, configuration, revision.
        coder: directory with what a `naics_embed.Coder` needs; None for a bundle without.
        disk: parquet file of the points of the Poincaré disk; None for a bundle without.
        card: makes the model card from the manifest and the metrics; None for a bundle without.
        transparency: makes the transparency record from the same; None for a bundle without.

    Raises:
        ArtifactError: the encoder lacks a file, or the table does not fit the space.
    """
    if tangents.shape != (len(codebook), space.dim):
        raise ArtifactError(
            f'tangents of shape {tangents.shape} do not fit {len(codebook)} codes in '
            f'{space.dim} dimensions'
        )
    if supervised.shape != (len(codebook),):
        raise ArtifactError(
            f'supervised of shape {supervised.shape} does not fit {len(codebook)} codes'
        )
    if not np.isfinite(tangents).all():
        row = int(np.flatnonzero(~np.isfinite(tangents).all(axis=1))[0])
        raise ArtifactError(
            f'tangent of code {codebook["code"][row]} is not finite; train the table again'
        )
    missing = [name for name in ENCODER_FILES if not (encoder / name).is_file()]
    if missing:
        raise ArtifactError(f'encoder {encoder} lacks {", ".join(missing)}; train again')
    coordinates = {
        name: tangents[:, column].astype(np.float32)
        for column, name in enumerate(coordinate_names(space.dim))
    }
    table = codebook.select('code', 'official', 'vintage', 'level', 'title').with_columns(
        supervised=pl.Series(supervised),
        radius=pl.Series(np.linalg.norm(tangents, axis=1)),
        **{name: pl.Series(values) for name, values in coordinates.items()},
    )
    with atomic_directory(path) as out:
        table.write_parquet(out / CODES)
        (out / ENCODER).mkdir()
        for name in ENCODER_FILES:
            copyfile(encoder / name, out / ENCODER / name)
        if coder is not None:
            copytree(coder, out / CODER)
        if disk is not None:
            copyfile(disk, out / DISK)
        write_json(out / METRICS, metrics)
        manifest = {
            **facts,
            'format': FORMAT,
            'library_version': __version__,
            'space': vars(space),
            'distance': DISTANCE_NOTE,
            'codes': len(table),
            'vintage': int(table['vintage'][0]),
        }
        for name, page in ((MODEL_CARD, card), (TRANSPARENCY, transparency)):
            if page is not None:
                (out / name).write_text(page(manifest, metrics), encoding='utf-8')
        files = {
            file.relative_to(out).as_posix(): checksum(file)[0]
            for file in sorted(out.rglob('*'))
            if file.is_file()
        }
        write_json(out / MANIFEST, {**manifest, 'files': files})
