"""The transparency record says what the bundle knows, and leaves the rest open."""

import pytest

from naics_embed.artifacts import MANIFEST
from naics_embed.bundle.provenance import FIELDS, Provenance
from naics_embed.bundle.storage import TRANSPARENCY, Bundle, write_bundle
from naics_embed.errors import UserError
from naics_embed.export.transparency import (
    OPEN,
    SECTIONS,
    filled,
    transparency_page,
    transparency_record,
    transparency_text,
)
from tests.export.test_model_card import MANIFEST as EXAMPLE
from tests.export.test_model_card import RUN_METRICS
from tests.tiny_bundle import (
    FACTS,
    METRICS,
    SPACE,
    tiny_codebook,
    title_tangents,
    write_tiny_encoder,
)


def test_every_field_has_a_number_of_its_own_and_a_section():
    record = transparency_record(EXAMPLE, RUN_METRICS)
    numbers = [entry.number for entry in record]
    assert len(set(numbers)) == len(numbers) == 51
    assert {number.partition('.')[0] for number in numbers} == set(SECTIONS)


def test_what_is_known_is_stated_and_the_rest_is_open():
    record = {entry.number: entry.value for entry in transparency_record(EXAMPLE, RUN_METRICS)}
    assert 'top-1 accuracy 0.800 (coder)' in record['4.2.7']
    assert '9.9' in record['4.2.2']
    assert record['1.1'] is record['3.2'] is record['5.1'] is None
    learned = {**EXAMPLE, 'learned': [{'name': 'claims', 'rows': 1200}]}
    assert (
        'claims (1,200 texts)'
        in {entry.number: entry.value for entry in transparency_record(learned, {})}['4.2.8']
    )


def test_the_organisation_fills_in_its_fields():
    record = filled(transparency_record(EXAMPLE, RUN_METRICS), {'1.1': 'Bureau of Labor'})
    page = transparency_page(record)
    assert '**1.1 Organisation or department.** Bureau of Labor' in page
    assert page.count(OPEN) == transparency_text(EXAMPLE, RUN_METRICS).count(OPEN) - 1


@pytest.mark.parametrize(('own', 'says'), [({'9.9': 'x'}, '9.9'), ({'1.1': 3}, 'text')])
def test_a_wrong_statement_is_refused(own, says):
    with pytest.raises(UserError, match=says):
        filled(transparency_record(EXAMPLE, {}), own)


def test_it_lies_in_the_bundle_and_is_listed(tmp_path):
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    codebook = tiny_codebook()
    write_bundle(
        tmp_path / 'bundle',
        codebook,
        codebook['level'].to_numpy() > 0,
        title_tangents(encoder, codebook['title'].to_list()),
        encoder,
        SPACE,
        METRICS,
        FACTS,
        transparency=transparency_text,
    )
    bundle = Bundle.load(tmp_path / 'bundle')
    assert TRANSPARENCY in bundle.manifest['files']
    text = (bundle.path / TRANSPARENCY).read_text(encoding='utf-8')
    assert text == transparency_text(bundle.manifest, bundle.metrics())
    stated = Provenance.of(bundle)
    assert tuple(stated.to_dict()) == FIELDS
    assert (stated.vintage, stated.classification) == ('2022', 'NAICS')
    assert stated.calibration is None, 'a bundle without a coder is not calibrated'
    assert 'time' not in stated.lasting()
    assert (bundle.path / MANIFEST).is_file()
