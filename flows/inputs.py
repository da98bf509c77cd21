"""What the flow gives to the graph of stages: the source, the backbone, the user's own files."""

from collections.abc import Callable
from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.census.sources import Source
from naics_embed.config.describe import describing
from naics_embed.config.schema import Config
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

    return {
        'source': lambda: source_inputs(source),
        'source_kind': lambda: Fact(source.kind),
        'edition': lambda: Fact(source.edition.to_dict()),
        'source_description': lambda: Fact(describe_source(source)),
        'backbone': backbone,
        'outcomes': outcomes,
        'configuration': lambda: Fact(describing(config)),
    }
