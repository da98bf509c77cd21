"""Promotion between runs: only a better bundle replaces the one in use, unless it is forced.

This is no stage: it depends on what was promoted before, so nothing of it is cached.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from naics_embed.artifacts import MANIFEST, checksum, read_json
from naics_embed.bundle.promotion import PREVIOUS, promote, rollback
from naics_embed.errors import ArtifactError
from naics_embed.evaluation.promotion_rule import Candidate, PromotionRule, Verdict, compare
from naics_embed.learning.sources import LEARNED
from tasks.engine.file_lock import file_lock
from tasks.engine.moved_database import promotion_record, stored_registry
from tasks.engine.tracking import Tracker
from tasks.engine.tracking_errors import check_tracking, clear_tracking_errors
from tasks.registry.models import Registered, find_version, register, set_champion

log = logging.getLogger('naics_embed.pipeline')

IN_USE = 'in use'
THIS_RUN = 'this run'


@dataclass(frozen=True)
class Contender:
    """The table of a run, ready to be promoted.

    Attributes:
        bundle: its directory.
        champion: which of the run's candidate tables it holds.
        metrics: its metrics on validation.
        data: key of the validation data; metrics under another key say nothing about these.
        source: kind of the source.
    """

    bundle: Path
    champion: str
    metrics: Mapping[str, float | None]
    data: str
    source: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of a promotion.

    Attributes:
        promoted: whether the bundle is the one in use now.
        reason: why.
        rows: metric by metric, where two tables were compared.
    """

    promoted: bool
    reason: str
    rows: list[dict[str, Any]] = field(default_factory=list)


def promote_run(
    root: Path,
    tracker: Tracker,
    contender: Contender,
    rule: PromotionRule,
    *,
    model: str,
    force: bool,
) -> Outcome:
    """Put the table of a run in use if it is the first, or better than the one in use, or forced.

    It is registered in MLflow then, with the alias ``champion``.

    Args:
        root: artifact root, which holds the pointer.
        tracker: where the run is logged.
        contender: the table.
        rule: when it is better.
        model: name of the registered model.
        force: promote it whatever the comparison says.
    """
    # Of two runs that end at once, the second is compared with what the first has put in use.
    with _alone(root):
        record = promotion_record(root)
        exists = record is not None and (root / record['bundle'] / MANIFEST).is_file()
        if record is not None and exists:
            if (root / record['bundle']).resolve() == contender.bundle.resolve():
                # An attempt before this one may have ended between pointer and registry.
                _set_champion(record)
                return Outcome(True, 'it is in use already')
            outcome = _against(record, contender, rule)
            if not outcome.promoted and not force:
                log.warning('not promoted: %s', outcome.reason)
                return outcome
            if not outcome.promoted:
                outcome = Outcome(
                    True, f'forced (promotion.force), although {outcome.reason}', outcome.rows
                )
        else:
            outcome = Outcome(True, 'nothing was in use before')
        registered = register(
            tracker.uri,
            tracker.parent_run_id,
            model,
            contender.bundle,
            {'table': contender.champion, 'source': contender.source},
        )
        promote(
            root,
            contender.bundle,
            {
                'run': tracker.parent_run_id,
                'source': contender.source,
                'table': contender.champion,
                'metrics': dict(contender.metrics),
                'data': contender.data,
                'registry': stored_registry(registered.to_dict(), root),
            },
        )
        set_champion(registered)
        return outcome


def promote_learned(
    root: Path, tracker: Tracker, bundle: Path, start: Path | None, *, model: str
) -> Outcome:
    """Register a bundle that has learned labelled texts, and put it in use.

    Args:
        root: artifact root, which holds the pointer.
        tracker: where the run is logged.
        bundle: directory of the bundle.
        start: the bundle that it was derived from, if that must still be in use.
        model: name of the registered model.
    """
    with _alone(root):
        record = promotion_record(root)
        now = None if record is None else (root / record['bundle']).resolve()
        if start is not None and now not in (start.resolve(), bundle.resolve()):
            return Outcome(False, 'another bundle was put in use meanwhile; learn from that one')
        names = [each['name'] for each in read_json(bundle / MANIFEST).get(LEARNED, ())]
        tags = {'learned': ', '.join(names) or 'nothing'}
        registered = register(tracker.uri, tracker.parent_run_id, model, bundle, tags)
        facts = {
            'run': tracker.parent_run_id,
            'learned': names,
            'registry': stored_registry(registered.to_dict(), root),
        }
        promote(root, bundle, facts)
        set_champion(registered)
    return Outcome(True, 'it is better on the labelled texts, and no worse on others')


def promote_bundle(root: Path, bundle: Path) -> dict[str, Any]:
    """Put a bundle in use because a user says so; return the new record.

    Where the registry of the bundle in use knows the new one too, its aliases follow.
    """
    with _alone(root), _registry_of(promotion_record(root)):
        record = promotion_record(root) or {}
        registered = _known(record.get('registry'), bundle)
        facts = (
            {'registry': stored_registry(registered.to_dict(), root)}
            if registered is not None
            else {}
        )
        promote(root, bundle, facts)
        if registered is not None:
            set_champion(registered)
        current = promotion_record(root)
    if current is None:
        raise ArtifactError(f'{root} was changed meanwhile; promote again')
    return current


def roll_back(root: Path) -> dict[str, Any]:
    """Put the previous bundle back in use, registry and pointer both; return its record.

    The registry comes first: where it fails, the pointer has not moved, and trying again is safe.
    """
    with _alone(root), _registry_of((promotion_record(root) or {}).get(PREVIOUS)):
        before = (promotion_record(root) or {}).get(PREVIOUS)
        if before is not None and (root / before['bundle'] / MANIFEST).is_file():
            _set_champion(before)
        return rollback(root)


@contextmanager
def _registry_of(record: Mapping[str, Any] | None) -> Iterator[None]:
    """Report in one sentence where the registry that a record names cannot be used."""
    uri = ((record or {}).get('registry') or {}).get('uri')
    if uri is None:
        yield
        return
    check_tracking(uri, tries=1)
    with clear_tracking_errors(uri):
        yield


def _alone(root: Path) -> AbstractContextManager[None]:
    return file_lock(root / '.locks' / 'promotion.lock')


def _set_champion(record: Mapping[str, Any]) -> None:
    if record.get('registry'):
        set_champion(Registered(**record['registry']))


def _known(registry: dict[str, str] | None, bundle: Path) -> Registered | None:
    if registry is None or not (bundle / MANIFEST).is_file():
        return None
    client = MlflowClient(tracking_uri=registry['uri'])
    version = find_version(client, registry['model'], checksum(bundle / MANIFEST)[0])
    return None if version is None else Registered(registry['uri'], registry['model'], version)


def _against(record: dict[str, Any], contender: Contender, rule: PromotionRule) -> Outcome:
    remedy = f'to use it anyway: naics-embed promote {contender.bundle}'
    if not record.get('metrics') or record.get('data') != contender.data:
        return Outcome(
            False,
            'the table in use was validated on other data, so the two cannot be compared; '
            + remedy,
        )
    verdict: Verdict = compare(
        Candidate(IN_USE, record['metrics']), Candidate(THIS_RUN, contender.metrics), rule
    )
    reason = verdict.reason if verdict.wins else f'{verdict.reason}; {remedy}'
    return Outcome(verdict.wins, reason, verdict.rows())
