"""The graph of stages: checked when it is made, and drawn from what the stages declare."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, TypeVar

from tasks.engine.declaration import Declaration, DeclarationError

S = TypeVar('S', bound=Declaration)


@dataclass(frozen=True)
class Edge:
    """One stage reads what another one writes.

    Attributes:
        source: the stage that writes.
        target: the stage that reads.
        names: the files and facts.
    """

    source: str
    target: str
    names: tuple[str, ...]


class Graph(Generic[S]):
    """Stages in the order in which they run.

    Args:
        stages: each reads what a stage above it writes, or what the flow gives.
        given: names of what the flow gives.

    Raises:
        DeclarationError: two stages have one name or write one name, nothing writes a name that is
            read, or stages read each other's outputs in a circle or from below.

    Example:
        >>> def tree(out, context, *, source): ...
        >>> def leaves(out, context, *, codebook): ...
        >>> graph = Graph(
        ...     Declaration('tree', tree, 'source', 'codebook'),
        ...     Declaration('leaves', leaves, 'codebook', 'leaves'),
        ...     given='source',
        ... )
        >>> graph.needed(['leaves'])
        ('tree', 'leaves')
    """

    def __init__(self, *stages: S, given: tuple[str, ...] | str = ()) -> None:
        self.given = tuple(given.split()) if isinstance(given, str) else tuple(given)
        self._stages: dict[str, S] = {}
        self._writer: dict[str, str] = {}
        for stage in stages:
            if stage.name in self._stages:
                raise DeclarationError(f'two stages are called {stage.name}')
            self._stages[stage.name] = stage
            for name in (*stage.writes, *stage.facts):
                other = self._writer.setdefault(name, stage.name)
                if other != stage.name or name in self.given:
                    by = 'the flow gives it' if name in self.given else f'{other} does too'
                    raise DeclarationError(f'stage {stage.name} writes {name}, and {by}')
        self._check_reads()

    def _check_reads(self) -> None:
        for stage in self:
            for name in stage.reads:
                if name not in self.given and name not in self._writer:
                    raise DeclarationError(f'stage {stage.name} reads {name}, which nothing writes')
        edges = {name: self.upstream(name) for name in self._stages}
        try:
            tuple(TopologicalSorter(edges).static_order())
        except CycleError as error:
            circle = ' → '.join(error.args[1])
            raise DeclarationError(f'stages depend on each other in a circle: {circle}') from error
        above: set[str] = set()
        for name, needs in edges.items():
            below = [other for other in needs if other not in above]
            if below:
                raise DeclarationError(
                    f'stage {name} depends on {below[0]}, which is listed below it: list stages in '
                    'the order in which they run'
                )
            above.add(name)

    def __iter__(self) -> Iterator[S]:
        return iter(self._stages.values())

    def __getitem__(self, name: str) -> S:
        return self._stages[name]

    def __contains__(self, name: object) -> bool:
        return name in self._stages

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(self._stages)

    def writer(self, name: str) -> str | None:
        """Return the stage that writes a name; None where the flow gives it."""
        return self._writer.get(name)

    def upstream(self, stage: str) -> tuple[str, ...]:
        """Return the stages whose outputs a stage reads, in the order in which it reads them."""
        writers = (self._writer.get(name) for name in self._stages[stage].reads)
        return tuple(dict.fromkeys(name for name in writers if name is not None))

    def needed(self, targets: Iterable[str]) -> tuple[str, ...]:
        """Return the targets and all stages that they depend on, in order."""
        needed: set[str] = set()
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(self.upstream(name))
        return tuple(name for name in self._stages if name in needed)

    def replaced(self, *stages: S) -> 'Graph[S]':
        """Return a graph in which stages replace those of the same name."""
        others = {stage.name: stage for stage in stages}
        unknown = sorted(set(others) - set(self._stages))
        if unknown:
            raise DeclarationError(f'there is no stage {unknown[0]} to replace')
        return Graph(*(others.get(stage.name, stage) for stage in self), given=self.given)

    def edges(self) -> list[Edge]:
        """Return the edges between stages, in the order of the stages that read."""
        return [
            Edge(source, stage.name, tuple(n for n in stage.reads if self.writer(n) == source))
            for stage in self
            for source in self.upstream(stage.name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return what the flow gives, the stages and the edges as JSON values."""
        return {
            'given': list(self.given),
            'stages': [
                {
                    'name': stage.name,
                    'reads': list(stage.reads),
                    'writes': list(stage.writes),
                    'facts': list(stage.facts),
                }
                for stage in self
            ],
            'edges': [
                {'source': edge.source, 'target': edge.target, 'names': list(edge.names)}
                for edge in self.edges()
            ],
        }

    def mermaid(self) -> str:
        """Return a Mermaid flowchart, without edges that a longer path implies."""
        lines = ['flowchart LR', *(f'    {stage.name}' for stage in self)]
        for edge in self.edges():
            direct = self.upstream(edge.target)
            others = (other for other in direct if other != edge.source)
            if not any(edge.source in self.needed([other]) for other in others):
                lines.append(f'    {edge.source} --> {edge.target}')
        return '\n'.join(lines) + '\n'
