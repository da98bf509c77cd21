"""Which codes an activity phrase was redirected from."""

import polars as pl

from naics_embed.taxonomy import Taxonomy
from tasks.text_training import _against, forget_checkpoints

CODES = ('11', '111', '1111', '11111', '111110', '11112', '111120', '11113', '111130')


def test_the_referencing_codes_are_wrong_answers():
    taxonomy = Taxonomy(CODES)
    rows = pl.DataFrame(
        [
            ('growing soybeans', '111110', 'redirection'),
            ('growing soybeans', '111110', 'index'),
            ('growing maize', '111130', 'redirection'),
            ('growing all', '111110', 'redirection'),
            ('growing nothing', '111110', 'redirection'),
        ],
        schema=['text', 'code', 'kind'],
        orient='row',
    )
    redirections = pl.DataFrame(
        [
            ('growing soybeans', '111120', False),
            ('growing soybeans', '111130', False),
            ('growing soybeans', '111120', False),
            ('growing maize', '111130', False),
            ('growing maize', '111110', False),
            ('growing all', '1111', True),
            (None, '111120', False),
        ],
        schema=['phrase', 'code', 'lineal'],
        orient='row',
    )
    found = _against(rows, redirections, taxonomy)
    named = [[taxonomy.codes[i] for i in row if i >= 0] for row in found]
    assert named == [['111120', '111130'], [], ['111110'], [], []]
    assert found.shape == (5, 2)
    assert _against(rows.head(0), redirections, taxonomy).shape == (0, 1)


def test_a_refresh_begins_anew_and_its_retry_does_not(tmp_path, monkeypatch):
    last = tmp_path / 'key' / 'last.ckpt'
    for attempt, kept in ((1, False), (2, True)):
        monkeypatch.setenv('PREFECT__RUNTIME__TASK_RUN__RUN_COUNT', str(attempt))
        last.parent.mkdir(exist_ok=True)
        last.write_text('weights')
        forget_checkpoints(last.parent)
        assert last.exists() == kept
