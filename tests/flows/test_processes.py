"""The platform's processes under a real supervisord."""

import subprocess
import sys
import time
from itertools import pairwise

from flows.local_platform.processes import Process, supervisor_configuration


def test_a_process_that_does_not_last_is_tried_again_after_growing_pauses(tmp_path):
    """supervisord itself, over processes that are at once there."""
    program = 'import time; print(f"attempt {time.monotonic()}", flush=True); raise SystemExit(1)'
    (tmp_path / 'fails.py').write_text(program)
    (tmp_path / 'stays.py').write_text('import time; print("here", flush=True); time.sleep(60)')
    listed = [
        Process(name, [sys.executable, str(tmp_path / f'{name}.py')], priority)
        for name, priority in (('fails', 20), ('stays', 40))
    ]
    configuration = tmp_path / 'supervisord.conf'
    configuration.write_text(
        supervisor_configuration(listed, tmp_path, str(tmp_path / '{name}.log'))
    )
    command = [sys.executable, '-m', 'supervisor.supervisord', '-n', '-c', str(configuration)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        log = tmp_path / 'fails.log'
        end = time.monotonic() + 60
        while not log.exists() or log.read_text().count('attempt') < 4:
            assert time.monotonic() < end
            time.sleep(0.1)
        moments = [float(line.split()[1]) for line in log.read_text().splitlines()[:4]]
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        # supervisord looks once a second, so equal pauses differ by a little.
        assert all(later > earlier - 0.5 for earlier, later in pairwise(pauses))
        assert pauses[-1] > pauses[0] + 1
        assert (tmp_path / 'stays.log').read_text() == 'here\n', 'it was never restarted'
    finally:
        running.terminate()
        assert running.wait(30) == 0
