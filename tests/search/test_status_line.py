"""The line at the end of a job."""

from naics_embed.search.status import COARSER, CODED, SAYS_NOTHING, UNCERTAIN, in_a_line


def test_a_job_ends_with_what_is_left_to_do():
    counts = {CODED: 1812, COARSER: 150, UNCERTAIN: 38}
    assert in_a_line(counts) == '1,812 sure, 150 at a coarser level, 38 to review'
    assert in_a_line({SAYS_NOTHING: 2}).endswith('0 to review, 2 say nothing')
