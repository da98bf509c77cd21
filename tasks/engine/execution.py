"""Computes stages of a graph, each at most once, several at a time where configured."""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from naics_embed.config.schema import Config
from naics_embed.config.sections import to_dict
from tasks.engine.declaration import Fact, Given
from tasks.engine.graph import Graph
from tasks.engine.record import Record
from tasks.engine.stage import Run, Stage

Ended = tuple[str, Record | BaseException]


class Execution:
    """The stages of one graph with one configuration, each computed at most once.

    Args:
        graph: the stages.
        config: what their settings are read from.
        run: the pipeline run.
        given: name of what the flow gives → what finds it, called when a stage reads it.
        parallel: stages that this process computes at a time. Stages that are sent to another
            host do not count.
    """

    def __init__(
        self,
        graph: Graph[Stage],
        config: Config,
        run: Run,
        given: Mapping[str, Callable[[], Given]],
        parallel: int = 1,
    ) -> None:
        self.graph = graph
        self.config = config
        # With its own configuration: executions of one flow may differ in it.
        self.run = replace(run, config=to_dict(config))
        self.parallel = parallel
        self.records: dict[str, Record] = {}
        self._finders = dict(given)
        self._given: dict[str, Given] = {}

    def record(self, stage: str) -> Record:
        """Return the record of a stage, after computing it and what it depends on."""
        self.compute([stage])
        return self.records[stage]

    def given(self, name: str) -> Given:
        """Return what the flow gives under a name."""
        if name not in self._given:
            self._given[name] = self._finders[name]()
        return self._given[name]

    def derived(self, graph: Graph[Stage], config: Config, keep: Iterable[str] = ()) -> 'Execution':
        """Return an execution of another graph or configuration in the same run.

        Args:
            graph: its stages.
            config: its configuration.
            keep: stages whose records are reused, whatever the configuration says.
        """
        other = Execution(graph, config, self.run, self._finders, self.parallel)
        other._given = self._given
        other.records = {name: self.record(name) for name in keep}
        return other

    def compute(self, targets: Iterable[str]) -> dict[str, Record]:
        """Compute the targets and what they depend on; return the records of all of them.

        Stages are begun in the order of the graph, as soon as what they read is there. One at a
        time runs in the calling thread, where signals and time limits reach it at once; several
        run in threads of their own, as does the wait for a stage on another host. After an error
        no stage is begun; those under way in this process are waited for, since their results are
        kept, and then the error is raised.
        """
        needed = self.graph.needed(targets)
        waiting = [name for name in needed if name not in self.records]
        ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        elsewhere: set[str] = set()
        here: set[str] = set()
        error: BaseException | None = None
        while here or (error is None and (waiting or elsewhere)):
            name = None if error is not None else self._next(waiting, here)
            if name is None:
                done, outcome = ended.get()
                elsewhere.discard(done)
                here.discard(done)
                if isinstance(outcome, Record):
                    self.records[done] = outcome
                else:
                    error = error or outcome
                continue
            waiting.remove(name)
            work = partial(self._call, name)
            if name in self.run.routes:
                elsewhere.add(name)
                _in_thread(name, work, ended)
            elif self.parallel > 1:
                here.add(name)
                _in_thread(name, work, ended)
            else:
                try:
                    self.records[name] = work()
                # Raised below, when the threads of other stages have ended.
                except Exception as failed:  # noqa: BLE001
                    error = failed
        if error is not None:
            raise error
        return {name: self.records[name] for name in needed}

    def _next(self, waiting: list[str], here: set[str]) -> str | None:
        """Return the first stage that may begin now; None where one has to end before."""
        full = len(here) >= self.parallel
        for name in waiting:
            ready = all(other in self.records for other in self.graph.upstream(name))
            if ready and (name in self.run.routes or not full):
                return name
        return None

    def _call(self, name: str) -> Record:
        stage = self.graph[name]
        inputs = {read: self.value(read) for read in stage.reads}
        return stage(self.run, inputs, **stage.configured(self.config))

    def value(self, name: str) -> Given:
        """Return a file or fact, after computing the stage that writes it."""
        writer = self.graph.writer(name)
        if writer is None:
            return self.given(name)
        record = self.records[writer] if writer in self.records else self.record(writer)
        if name in record.files:
            return record.files[name]
        return Fact(record.facts[name], next(iter(record.files.values())).path)


def _in_thread(name: str, work: Callable[[], Record], ended: 'queue.SimpleQueue[Ended]') -> None:
    context = copy_context()

    def body() -> None:
        try:
            outcome: Record | BaseException = context.run(work)
        # Whatever it is, the thread that waits is to raise it.
        except BaseException as error:  # noqa: BLE001
            outcome = error
        ended.put((name, outcome))

    # A daemon: a flow that is stopped does not wait for hours of another host.
    threading.Thread(target=body, name=name, daemon=True).start()
