"""Routes about the service itself: the model in use, suggestions, another bundle."""

import asyncio
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from naics_embed.artifacts import MANIFEST, checksum
from naics_embed.bundle.provenance import CALIBRATION_FILE, LEARNED
from naics_embed.service import answers
from naics_embed.service.engine import Engine
from naics_embed.service.problems import ProblemError
from naics_embed.service.reload import REFUSED, Reloader
from naics_embed.service.running import Service


class Reload(BaseModel):
    """What came of a look for another bundle."""

    result: str = Field(description='switched, same, or refused: the bundle in use stays.')
    detail: str
    time: str = Field(description='When it ended, UTC.')
    seconds: float


class Model(BaseModel):
    """The model in use."""

    provenance: answers.Provenance
    manifest_sha256: str = Field(description='Checksum of the manifest, a tag in the registry.')
    loaded: str | None = Field(description='Since when it is in use, UTC.')
    codes: int
    dimensions: int
    table: str | None = Field(description='The candidate table that the promotion rule picked.')
    source: str | None = Field(description='Where the texts of the codes came from.')
    calibration_texts: dict[str, int] = Field(
        description='Kind of labelled texts → how many the probabilities were calibrated with.'
    )
    learned: list[str] = Field(description='Names of the learned sources.')
    shadow: answers.Provenance | None = Field(description='A candidate that answers too.')
    reload: Reload | None = Field(description='What came of the last look for another bundle.')


class Suggestion(BaseModel):
    """A text that the query may become."""

    text: str
    code: str
    official: str
    title: str
    kind: str = Field(description='title or known text.')


class Suggestions(BaseModel):
    """Texts that fit what was typed so far, the best first."""

    suggestions: list[Suggestion]


def add_operation(app: FastAPI, service: Service, reloader: Reloader | None) -> None:
    """Add the routes.

    Args:
        app: the app.
        service: what answers.
        reloader: what puts another bundle in use; None for a service that keeps its own.
    """
    config = service.config

    @app.get('/v1/model', response_model=Model, tags=['operations'])
    async def model() -> Model:
        """The model in use, and where its answers come from."""
        engine = service.loaded()
        facts = await asyncio.to_thread(_facts, engine.coder.searcher.bundle.path)
        last = None if reloader is None or reloader.last is None else reloader.last
        return Model(
            **_described(engine),
            **facts,
            loaded=service.loaded_at,
            shadow=None if service.shadow is None else service.shadow.engine.origin(),
            reload=None if last is None else Reload(**vars(last)),
        )

    @app.get('/v1/suggest', response_model=Suggestions, tags=['codes'])
    async def suggest(
        q: Annotated[
            str,
            Query(
                max_length=config.suggest.max_characters,
                description='What was typed so far.',
                examples=['dog gro'],
            ),
        ],
        limit: Annotated[int, Query(ge=1, le=config.suggest.max_limit)] = config.suggest.limit,
    ) -> Suggestions:
        """Titles and known texts that begin like the query; no model takes part."""
        engine = service.loaded()
        # Not in the pool of the model: a suggestion must not wait behind a batch.
        found = await asyncio.to_thread(lambda: engine.suggester().suggest(q, limit))
        return Suggestions(suggestions=[Suggestion(**vars(one)) for one in found])

    @app.post('/v1/admin/reload', response_model=Reload, tags=['operations'])
    async def reload(request: Request) -> Reload:
        """Look for another bundle now, and use it if it passes its test."""
        if config.keys.file is None:
            raise ProblemError(
                403,
                'another bundle is only put in use for a key with the scope admin, and this '
                'service has no keys (service.keys.file); send the process SIGHUP instead',
            )
        if reloader is None or service.engine is None:
            raise ProblemError(503, 'the first bundle is not loaded yet; try again later')
        outcome = await reloader.reload()
        if outcome.result == REFUSED:
            raise ProblemError(
                409, f'the bundle in use stays, for another one was refused: {outcome.detail}'
            )
        return Reload(**vars(outcome))


def _described(engine: Engine) -> dict[str, Any]:
    bundle = engine.coder.searcher.bundle
    manifest = bundle.manifest
    return {
        'provenance': engine.origin(),
        'codes': len(engine.table.taxonomy),
        'dimensions': bundle.space.dim,
        'table': manifest.get('table'),
        'source': (manifest.get('source') or {}).get('kind'),
        'learned': [each['name'] for each in manifest.get(LEARNED, ())],
    }


@cache
def _facts(path: Path) -> dict[str, Any]:
    """Return what must be read from the files of a bundle."""
    calibration = path / CALIBRATION_FILE
    sets: Counter[str] = Counter()
    if calibration.is_file():
        sets.update(pl.read_parquet(calibration, columns=['set'])['set'].to_list())
    return {
        'manifest_sha256': checksum(path / MANIFEST)[0],
        'calibration_texts': dict(sorted(sets.items())),
    }
