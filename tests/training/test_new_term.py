"""A term of one's own: one class, and one line that registers it."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from naics_embed.config.load import load_config
from naics_embed.config.sections import flat, to_dict
from naics_embed.errors import ConfigError
from naics_embed.objective.registry import TERMS
from naics_embed.objective.term import Needs, Term
from naics_embed.training.fit import train_text
from naics_embed.value_checks import require
from tests.training.conftest import CONFIGS


class Centre(nn.Module):
    """The mean of the frozen training texts."""

    def __init__(self, mean: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer('mean', mean, persistent=False)


@dataclass(frozen=True, kw_only=True)
class Spread(Term):
    """Queries away from the mean of the frozen training texts: nobody needs it."""

    name: ClassVar[str] = 'spread'
    margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.margin > 0, 'objective.spread.margin', self.margin, 'positive')

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def prepare(self, inputs, seed):
        texts = torch.from_numpy(inputs.corpus.embeddings[inputs.train.rows])
        return Centre(nn.functional.normalize(texts.float().mean(0), dim=-1))

    def value(self, step):
        return (step.queries @ step.states[self.name].mean + 1 - self.margin).relu().mean()


@pytest.fixture(autouse=True)
def registered():
    TERMS.append(Spread)
    yield
    TERMS.remove(Spread)


def test_a_registered_term_is_a_section_of_the_configuration():
    loaded = load_config(CONFIGS, 'cpu', ['objective.spread.weight=0.3'])
    values = flat(loaded.config)
    assert values['objective.spread.weight'] == 0.3
    assert values['objective.spread.margin'] == 0.5
    assert loaded.origins['objective.spread.weight'] == 'override'
    assert loaded.origins['objective.spread.margin'] == 'default'
    assert to_dict(loaded.config)['objective']['spread']['end'] == 1.0
    with pytest.raises(ConfigError, match=r'objective\.spread\.margin must be positive'):
        load_config(CONFIGS, 'cpu', ['objective.spread.margin=-1'])


def test_it_is_off_unless_it_has_a_weight(settings_with):
    names = [term.name for term in settings_with().objective.acting()]
    assert 'spread' not in names
    assert 'retrieval' in names


def test_a_training_computes_it_and_learns_from_it(make_inputs, settings_with, tmp_path):
    settings = settings_with(
        'objective.spread.weight=20', 'training.gradient_norms=1', 'training.epochs=2'
    )
    trained = train_text(make_inputs(), settings, tmp_path)
    first, last = trained.history
    assert 0 < last['train/spread'] < first['train/spread']
    assert first['gradient/spread'] > 0


def test_its_schedule_is_that_of_every_term(make_inputs, settings_with, tmp_path):
    settings = settings_with(
        'objective.spread.weight=1', 'objective.spread.start=0.6', 'training.epochs=2'
    )
    settings = replace(settings, training=replace(settings.training, gradient_norms=0))
    trained = train_text(make_inputs(), settings, tmp_path)
    assert ['train/spread' in epoch for epoch in trained.history] == [False, True]
