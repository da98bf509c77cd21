"""The self-test of the processor: what it chooses, what it refuses, what it keeps."""

from dataclasses import asdict, replace

import pytest
import torch

from naics_embed.artifacts import read_json, write_json
from naics_embed.errors import UserError
from naics_embed.text.inference import processor
from naics_embed.text.inference.precisions import AUTO, BFLOAT16, FLOAT32
from naics_embed.text.inference.processor import FILE, SelfTest, self_test

SLOW = SelfTest('AVX2', plain=1.0, packed=1.0, bfloat16=7.0)


def test_a_processor_without_bfloat16_refuses_it_and_says_why():
    assert SLOW.chosen(AUTO) == SLOW.chosen(FLOAT32) == FLOAT32
    with pytest.raises(UserError, match=r'7\.0 times as long .*AVX2.*no instructions'):
        SLOW.chosen(BFLOAT16)


def test_a_processor_with_bfloat16_computes_in_it_where_asked():
    fast = replace(SLOW, bfloat16=0.4)
    assert fast.refusal() is None
    assert fast.chosen(AUTO) == fast.chosen(BFLOAT16) == BFLOAT16
    assert fast.chosen(FLOAT32) == FLOAT32


def test_plain_products_are_used_only_where_they_are_clearly_faster():
    assert SLOW.packs
    assert not replace(SLOW, packed=None).packs
    assert not replace(SLOW, packed=1.5).packs
    assert replace(SLOW, packed=1.5).float32 == 1.0


def test_the_result_is_kept_for_the_same_machine_only(tmp_path, monkeypatch):
    first = self_test(tmp_path, keep=False)
    assert min(first.plain, first.bfloat16) > 0
    assert not (tmp_path / FILE).exists()
    kept = self_test(tmp_path)
    assert SelfTest(**read_json(tmp_path / FILE)) == kept
    monkeypatch.setattr(processor, '_measured', lambda machine: replace(SLOW, machine=machine))
    assert self_test(tmp_path) == kept
    write_json(tmp_path / FILE, {**asdict(kept), 'machine': 'another'})
    assert self_test(tmp_path).bfloat16 == SLOW.bfloat16
    (tmp_path / FILE).write_text('{"machine": 1}')
    assert self_test(tmp_path).bfloat16 == SLOW.bfloat16
    assert torch.__version__ in self_test(tmp_path / 'absent').machine
    assert not (tmp_path / 'absent').exists()
