"""The device, its threads, and where the backbone comes from."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from naics_embed.config.model import BackboneConfig
from naics_embed.doctor.finding import Finding, fail, ok, size_text, warn
from naics_embed.errors import SourceError
from naics_embed.optional import INSTALL, is_installed

OFFLINE_WORDS = ('1', 'true', 'yes', 'on')


def check_device() -> Finding:
    """Say which device trains."""
    if not is_installed('torch'):
        return ok('device', f'no torch, so texts are encoded by numpy; to train: {INSTALL}')
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        more = f' and {torch.cuda.device_count() - 1} more' if torch.cuda.device_count() > 1 else ''
        return ok('device', f'{properties.name}, {size_text(properties.total_memory)}{more}')
    if torch.version.cuda is not None:
        return warn(
            'device',
            f'torch is built for CUDA {torch.version.cuda} but sees no GPU',
            'check the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES; the profile cpu needs no GPU',
        )
    return ok('device', f'CPU (torch {torch.__version__})')


def check_threads(environment: Mapping[str, str], cores: int | None = None) -> Finding:
    """Compare the number of threads of torch with the number of cores."""
    if not is_installed('torch'):
        return ok('threads', 'no torch')
    import torch

    here = cores or len(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    detail = f'{threads} threads of torch on {here} cores'
    if threads > here:
        return warn('threads', detail, f'export OMP_NUM_THREADS={here}')
    if environment.get('OMP_WAIT_POLICY', '').upper() == 'ACTIVE':
        return warn(
            'threads',
            f'{detail}; waiting threads spin (OMP_WAIT_POLICY=ACTIVE), slow on a shared machine',
            'export OMP_WAIT_POLICY=PASSIVE',
        )
    return ok('threads', detail)


def check_processor(root: Path) -> Finding:
    """Say in which number format the encoder is fastest, by its self-test."""
    if not is_installed('torch'):
        return ok('encoder', 'float32 by numpy')
    from naics_embed.text.inference.processor import self_test

    test = self_test(root, keep=False)
    order = 'packed' if test.packs else 'plain'
    speed = f'bfloat16 at {test.float32 / test.bfloat16:.1f} times the speed of float32'
    refused = '' if test.refusal() is None else ', so it is refused'
    return ok('encoder', f'{test.machine}: float32 by {order} products; {speed}{refused}')


def check_backbone(backbone: BackboneConfig, environment: Mapping[str, str]) -> Finding:
    """Check whether the configured encoder is on this machine; the hub is not asked."""
    offline = environment.get('HF_HUB_OFFLINE', '').lower() in OFFLINE_WORDS
    state = 'the hub is off (HF_HUB_OFFLINE)' if offline else 'the hub may be asked'
    if _in_hub_cache(backbone):
        return ok('backbone', f'{backbone.name} is in the hub cache; {state}')
    if not is_installed('torch'):
        return ok('backbone', 'no torch, so none is needed')
    from naics_embed.text.backbone import PACKAGED_MODELS, locate_backbone

    package = PACKAGED_MODELS.get(backbone.name)
    remedy = _remedy(package)
    packaged = package is not None and importlib.util.find_spec(package) is not None
    if packaged or Path(backbone.name).expanduser().is_dir():
        try:
            files = locate_backbone(backbone.name, backbone.revision)
        except SourceError as error:
            return fail('backbone', str(error), remedy)
        return ok('backbone', f'{backbone.name} from {files.origin}; no hub is needed')
    if offline or backbone.revision is None:
        why = state if offline else 'no commit is pinned (backbone.revision)'
        return fail('backbone', f'{backbone.name} is not on this machine, and {why}', remedy)
    return warn(
        'backbone', f'{backbone.name} will be fetched from the hub when it is needed', remedy
    )


def _in_hub_cache(backbone: BackboneConfig) -> bool:
    from huggingface_hub import try_to_load_from_cache

    if backbone.revision is None or backbone.name.count('/') != 1:
        return False
    file = try_to_load_from_cache(backbone.name, 'model.safetensors', revision=backbone.revision)
    return isinstance(file, str)


def _remedy(package: str | None) -> str:
    from naics_embed.text.backbone import HUB_PATTERNS

    install = f'pip install {package.replace("_", "-")}, or ' if package else ''
    return f'{install}give backbone.name a folder that holds {", ".join(HUB_PATTERNS)}'
