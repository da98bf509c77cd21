"""How fast suggestions are, at every letter of queries that are typed.

    python -m benchmarks.suggestions --bundle BUNDLE

Times of the processor: beside other processes only they are those of a suggestion.
"""

import argparse
import time
from pathlib import Path

from rich.console import Console

from naics_embed.bundle.storage import Bundle
from naics_embed.search.suggest import SuggestIndex

TYPED = ('dog grooming', 'software developement', 'restarant', 'growing soybeans', 'roof instal')
REPEATS = 5
WANTED = 10


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    given = parser.parse_args()
    start = time.process_time()
    index = SuggestIndex.of(Bundle.load(given.bundle, verify=False))
    built = time.process_time() - start
    times = []
    for query in TYPED * REPEATS:
        for end in range(1, len(query) + 1):
            start = time.process_time()
            index.suggest(query[:end], WANTED)
            times.append(1000 * (time.process_time() - start))
    times.sort()
    Console().print(
        f'{len(index.entries):,} texts, index {built:.1f} s; ms a letter: median '
        f'{times[len(times) // 2]:.2f}, 99 % {times[int(len(times) * 0.99)]:.2f}, '
        f'most {times[-1]:.2f}'
    )


if __name__ == '__main__':
    main()
