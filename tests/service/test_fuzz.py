"""A few of the inputs of benchmarks/fuzz.py, which sends ten thousand."""

import benchmarks.fuzz as fuzz

EXAMPLES = 150


def test_the_library_answers_or_tells_why(engine):
    seen = fuzz.fuzz_library(engine.coder, EXAMPLES)
    assert seen['answered'] + seen['refused'] == EXAMPLES
    assert min(seen['answered'], seen['refused']) > EXAMPLES / 10


def test_the_service_answers_or_tells_why(client):
    seen = fuzz.fuzz_service(client, EXAMPLES)
    assert sum(seen.values()) >= EXAMPLES
    assert {'200', '422'} <= set(seen) <= {'200', '400', '404', '413', '422'}


def test_the_command_keeps_every_row(engine, tmp_path):
    seen = fuzz.fuzz_command(engine.coder, tmp_path, EXAMPLES)
    assert min(seen['answered'], seen['refused']) > 0
