"""Parts of an output on disk, in Arrow's own format, which has every type that Arrow has."""

from pathlib import Path

import pyarrow as pa

ENDING = '.arrow'


def write_part_table(path: Path, table: pa.Table) -> None:
    """Write a part."""
    options = pa.ipc.IpcWriteOptions(compression='lz4')
    with (
        pa.OSFile(str(path), 'wb') as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as part,
    ):
        part.write_table(table)


def read_part_table(path: Path) -> pa.Table:
    """Return a part."""
    with pa.OSFile(str(path), 'rb') as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def part_rows(path: Path) -> int:
    """Return how many rows a part has."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        return sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))
