"""All checks, in the order in which they are shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from naics_embed.config.load import load_config
from naics_embed.doctor.census import check_workbooks
from naics_embed.doctor.finding import Finding, fail, ok
from naics_embed.doctor.machine import (
    check_backbone,
    check_device,
    check_processor,
    check_threads,
)
from naics_embed.doctor.packages import check_packages, check_python
from naics_embed.doctor.servers import (
    TIMEOUT_S,
    check_mlflow,
    check_prefect,
    check_prefect_database,
)
from naics_embed.doctor.storage import (
    check_bundle,
    check_disk,
    check_home,
    check_leftovers,
    check_locks,
    check_root,
    check_sizes,
)
from naics_embed.errors import ConfigError
from naics_embed.home import in_home

PREFECT_HOME = 'prefect home'
HUB_CACHE = Path('~/.cache/huggingface/hub')


def examine(
    root: Path,
    checkout: Path | None,
    environment: Mapping[str, str],
    *,
    profile: str = 'cpu',
    overrides: Sequence[str] = (),
    timeout: float = TIMEOUT_S,
) -> list[Finding]:
    """Look at everything that a run or a search needs.

    Nothing is changed, nothing fetched; servers are asked for their health only.

    Args:
        root: artifact root.
        checkout: the project's own folder, or None for an installed wheel.
        environment: variables, as ``os.environ`` has them.
        profile: of the configuration.
        overrides: of the configuration.
        timeout: seconds to wait for a server.
    """
    findings = [
        check_python(),
        *check_packages(None if checkout is None else checkout / 'constraints.txt'),
        check_prefect(environment, timeout),
        check_mlflow(environment, root, timeout),
        check_home(),
        check_root(root),
        check_disk(root),
        *check_sizes(_folders(root, checkout, environment)),
        check_device(),
        check_threads(environment),
        check_processor(root),
        check_bundle(root),
        check_locks(root),
        check_leftovers(root),
    ]
    if checkout is not None:
        home = _folders(root, checkout, environment).get(PREFECT_HOME)
        if home is not None:
            findings.append(check_prefect_database(environment, home, timeout))
        findings += _configured(checkout, profile, overrides, environment)
    return findings


def _folders(root: Path, checkout: Path | None, environment: Mapping[str, str]) -> dict[str, Path]:
    folders: dict[str, Path | None] = {
        'artifact root': root,
        'hub cache': in_home(environment.get('HF_HUB_CACHE') or HUB_CACHE),
    }
    if checkout is not None:
        home = environment.get('PREFECT_HOME') or checkout / '.prefect'
        folders[PREFECT_HOME] = in_home(home)
        folders['census cache'] = checkout / '.cache'
    return {name: folder for name, folder in folders.items() if folder is not None}


def _configured(
    checkout: Path, profile: str, overrides: Sequence[str], environment: Mapping[str, str]
) -> list[Finding]:
    try:
        config = load_config(checkout / 'configs', profile, overrides).config
    except ConfigError as error:
        remedy = 'correct the file or the option; naics-embed config shows every value'
        return [fail('configuration', str(error), remedy)]
    return [
        ok('configuration', f'profile {profile} is valid'),
        check_workbooks(config.data),
        check_backbone(config.backbone, environment),
    ]
