"""What the flow gives to the graph of stages: the source, the backbone, the user's own files."""

from collections.abc import Callable
from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.census.sources import Source
from naics_embed.config.describe import describing
from naics_embed.config.schema import Config
from naics_embed.errors import UserError
from naics_embed.text.backbone import locate_backbone
from tasks.encoding import backbone_inputs
from tasks.engine.declaration import Fact, Given
from tasks.source import describe_source, source_inputs

GIVEN = (
    'source',
    'source_kind',
    'edition',
    'source_description',
    'backbone',
    'outcomes',
    'labelled_files',
    'configuration',
)


def inputs_of(config: Config, source: Source) -> dict[str, Callable[[], Given]]:
    """Return name → what finds it, for `tasks.engine.execution.Execution`.

    Args:
        config: the configuration of the run.
        source: the files that it starts from.
    """

    def backbone() -> Given:
        return backbone_inputs(locate_backbone(config.backbone.name, config.backbone.revision))

    def outcomes() -> Given:
        path = config.regression.outcomes
        return None if path is None else Artifact.of(Path(path).expanduser())

    def labelled_files() -> Given:
        paths = [Path(path).expanduser() for path in config.data.labelled.files]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise UserError(f'data.labelled.files: {missing[0]} does not exist')
        return {f'{i:03d}': Artifact.of(path) for i, path in enumerate(paths)} or None

    return {
        'source': lambda: source_inputs(source),
        'source_kind': lambda: Fact(source.kind),
        'edition': lambda: Fact(source.edition.to_dict()),
        'source_description': lambda: Fact(describe_source(source)),
        'backbone': backbone,
        'outcomes': outcomes,
        'labelled_files': labelled_files,
        'configuration': lambda: Fact(describing(config)),
    }
