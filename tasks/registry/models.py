"""MLflow's model registry: versions of the exported bundle, the aliases champion and previous."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from naics_embed import __version__
from naics_embed.artifacts import MANIFEST, checksum
from naics_embed.bundle.provenance import FIELDS
from naics_embed.redaction import redacted
from tasks.engine.tracking import use_uri

log = logging.getLogger('naics_embed.pipeline')

CHAMPION = 'champion'
PREVIOUS = 'previous'
BUNDLE_TAG = 'bundle'
CODE = Path(__file__).with_name('served_model.py')
ARTIFACT = 'model'
DEFAULT_K = 5
DEFAULT_LEVEL = 6
DEFAULT_CONFIDENCE = 0.8
EXAMPLE = pd.DataFrame({'text': ['dog grooming salon', None], 'code': [None, '541330']})


@dataclass(frozen=True)
class Registered:
    """A version of the registered model.

    Attributes:
        uri: MLflow tracking URI.
        model: name of the model.
        version: its version.
    """

    uri: str
    model: str
    version: str

    def to_dict(self) -> dict[str, str]:
        """Return plain values."""
        return vars(self).copy()


def register(uri: str, run_id: str, model: str, bundle: Path, tags: dict[str, Any]) -> Registered:
    """Register a bundle as a version of a model, or find the version that it already is.

    Args:
        uri: MLflow tracking URI.
        run_id: run that the version belongs to.
        model: name of the registered model.
        bundle: directory of the bundle.
        tags: more tags of the version.
    """
    client = MlflowClient(tracking_uri=uri)
    digest = checksum(bundle / MANIFEST)[0]
    existing = find_version(client, model, digest)
    if existing is None:
        logged = _log(uri, run_id, bundle)
        if not _exists(client, model):
            client.create_registered_model(model)
        version = client.create_model_version(
            model,
            logged.model_uri,
            run_id,
            # A server does not take a model's address without its name.
            model_id=logged.model_id,
            tags={BUNDLE_TAG: digest, **{name: str(value) for name, value in tags.items()}},
        )
        existing = str(version.version)
        log.info('registered %s version %s', model, existing)
    return Registered(uri, model, existing)


def find_version(client: MlflowClient, model: str, digest: str) -> str | None:
    """Return the newest version made of the bundle whose manifest has this checksum."""
    versions = client.search_model_versions(f"name = '{model}' and tags.{BUNDLE_TAG} = '{digest}'")
    return max((str(each.version) for each in versions), key=int, default=None)


def set_champion(registered: Registered) -> None:
    """Set the alias ``champion`` to a version, and ``previous`` to the champion before it.

    Where the registry lacks the version, as after its database was moved away, no alias is set.
    """
    client = MlflowClient(tracking_uri=registered.uri)
    if not _is_there(lambda: client.get_model_version(registered.model, registered.version)):
        log.warning(
            '%s has no version %s of the model %s; its aliases are unchanged',
            redacted(registered.uri),
            registered.version,
            registered.model,
        )
        return
    before = alias(client, registered.model, CHAMPION)
    if before == registered.version:
        return
    if before is not None:
        client.set_registered_model_alias(registered.model, PREVIOUS, before)
    elif alias(client, registered.model, PREVIOUS) == registered.version:
        client.delete_registered_model_alias(registered.model, PREVIOUS)
    client.set_registered_model_alias(registered.model, CHAMPION, registered.version)


def alias(client: MlflowClient, model: str, name: str) -> str | None:
    """Return the version that an alias names, None where there is none."""
    if not _exists(client, model):
        return None
    version = client.get_registered_model(model).aliases.get(name)
    return None if version is None else str(version)


def _exists(client: MlflowClient, model: str) -> bool:
    return _is_there(lambda: client.get_registered_model(model))


def _is_there(read: Callable[[], object]) -> bool:
    try:
        read()
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return False
        raise
    return True


def signature() -> ModelSignature:
    """Return the parameters of the registered model and what it gives; see `served_model`.

    What it takes is not declared: MLflow would drop every column that is not, among them the texts
    of ``{"inputs": ["…"]}``, before the model could say what it got. The example shows it.
    """
    text, whole, real = DataType.string, DataType.long, DataType.double
    columns: dict[str, DataType | Array] = {
        'row': whole,
        'query': text,
        'kind': text,
        'rank': whole,
        'code': text,
        'title': text,
        'level': whole,
        'distance': real,
        'probability': real,
        'confident_code': text,
        'confident_title': text,
        'confident_probability': real,
        'coordinates': Array(real),
        'error': text,
    }
    columns |= dict.fromkeys(FIELDS, text)
    return ModelSignature(
        outputs=Schema(
            [ColSpec(kind, name, required=name == 'row') for name, kind in columns.items()]
        ),
        params=ParamSchema(
            [
                ParamSpec('k', whole, DEFAULT_K),
                ParamSpec('level', whole, DEFAULT_LEVEL),
                ParamSpec('confidence', real, DEFAULT_CONFIDENCE),
                ParamSpec('provenance', DataType.boolean, False),
            ]
        ),
    )


def _log(uri: str, run_id: str, bundle: Path) -> ModelInfo:
    """Log the bundle as a model of a run, with the run's parameters and metrics.

    Within an active run, `mlflow.pyfunc.log_model` reads the history of every metric of the run,
    one request each: minutes for hundreds of metrics on a server. The latest values are enough.
    """
    use_uri(uri)
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(run_id)
    model = client.create_logged_model(
        run.info.experiment_id, name=ARTIFACT, source_run_id=run_id, params=run.data.params
    )
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    now = time.time_ns() // 1_000_000
    client.log_batch(
        run_id,
        metrics=[
            Metric(name, value, now, 0, model_id=model.model_id, run_id=run_id)
            for name, value in run.data.metrics.items()
        ],
    )
    # MLflow loads the model and lets it answer the example before it keeps it. Named
    # requirements keep it from importing the model to guess them.
    return mlflow.pyfunc.log_model(
        model_id=model.model_id,
        python_model=str(CODE),
        artifacts={'bundle': str(bundle)},
        signature=signature(),
        input_example=(EXAMPLE, {'k': DEFAULT_K}),
        pip_requirements=[f'naics-embed=={__version__}'],
    )
