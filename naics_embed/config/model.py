"""The backbone, the space and what maps a text into it."""

import math
from dataclasses import dataclass

from naics_embed.errors import ConfigError
from naics_embed.value_checks import one_of, require

CHANNELS = ('title', 'description', 'examples', 'excluded')
MODES = ('frozen', 'adapters', 'full')
CODE_POINTS = ('table', 'text', 'text+offset')
OFFSET_STARTS = ('zero', 'construction')
GEOMETRIES = ('lorentz', 'euclidean', 'spherical')
FUSIONS = ('masked_mean', 'attention', 'experts')


@dataclass(frozen=True)
class BackboneConfig:
    """The sentence encoder that everything starts from.

    Attributes:
        name: a hub name, or a local folder. The default is read from an installed package.
        revision: commit of a hub model; required for any hub name that no package carries.
        window: tokens kept of each text.
        frozen_layers: lower layers without adapters, whose outputs are computed once and kept.
        batch_tokens: tokens in one inference batch, padding included.
    """

    name: str
    revision: str | None
    window: int
    frozen_layers: int
    batch_tokens: int

    def __post_init__(self) -> None:
        require(self.window >= 3, 'backbone.window', self.window, 'at least 3')
        require(self.frozen_layers >= 0, 'backbone.frozen_layers', self.frozen_layers, 'at least 0')
        require(self.batch_tokens >= 1, 'backbone.batch_tokens', self.batch_tokens, 'at least 1')


@dataclass(frozen=True)
class ConstructionConfig:
    """The training-free embedding of the tree that the table starts from.

    Attributes:
        tau: geodesic length of an edge.
        spread: 0 keeps the texts' own similarities within a family, 1 puts siblings apart.
        turn: angle in radians between a child's direction and its parent's.
        shrink: factor applied to the tangents when the table is initialised.
    """

    tau: float
    spread: float
    turn: float
    shrink: float

    def __post_init__(self) -> None:
        require(self.tau > 0, 'construction.tau', self.tau, 'positive')
        require(0 <= self.spread <= 1, 'construction.spread', self.spread, 'in [0, 1]')
        require(0 < self.turn <= math.pi / 2, 'construction.turn', self.turn, 'in (0, π/2]')
        require(0 < self.shrink <= 1, 'construction.shrink', self.shrink, 'in (0, 1]')


@dataclass(frozen=True)
class FusionConfig:
    """How the channels of a code become one embedding.

    Attributes:
        kind: masked_mean, attention or experts.
        experts: number of experts.
        top: experts that a channel is sent to.
        hidden: hidden units of an expert.
    """

    kind: str
    experts: int
    top: int
    hidden: int

    def __post_init__(self) -> None:
        one_of('model.fusion.kind', self.kind, FUSIONS)
        require(self.hidden >= 1, 'model.fusion.hidden', self.hidden, 'at least 1')
        expected = f'from 1 to model.fusion.experts, which is {self.experts}'
        require(1 <= self.top <= self.experts, 'model.fusion.top', self.top, expected)


@dataclass(frozen=True)
class ModelConfig:
    """The space and the encoder that maps a text into it.

    Attributes:
        dim: dimensions of the Lorentz space.
        curvature: c > 0; the space has curvature −c.
        learn_curvature: whether c is learned from there, within [0.1, 10].
        r_max: bound on the distance from the origin, of codes and texts alike; a wide one lets
            texts run out to it, far from the codes they belong to.
        adapter_rank: rank of the LoRA adapter.
        adapter_alpha: scale of the adapter, alpha / rank.
        adapter_dropout: dropout on the adapter's input.
        dropout: dropout of the adapted layers; null for the backbone's own.
        channels: texts of a code whose mean is its embedding.
        channel_tokens: tokens kept of a channel text when a code is embedded from its texts.
        head_ridge: penalty of the regression that the head starts from.
        placement_ridge: penalty of the regression that embeds codes from their texts alone.
        head_units: size of the head's hidden layer; null for that of an embedding.
        embedding_dropout: fraction of a sentence embedding dropped in training, before the head.
        embedding_noise: expected length of the Gaussian added to it in training.
        mode: what is trained beside head and table: ``frozen`` nothing, ``adapters`` LoRA, ``full``
            the layers above the frozen ones.
        shared_adapter: one adapter for queries and channels, instead of one each.
        checkpointing: recompute the layers in the backward pass; less memory, more time.
        code_points: where a code lies: ``table`` a free point, ``text`` where its channels put it,
            ``text+offset`` there, moved by a penalised offset of its own.
        offset_start: offsets begin at ``zero``, or so that codes begin at the ``construction``.
        geometry: lorentz; euclidean and spherical serve comparisons and are not exported.
        fusion: how the channels of a code become one embedding.
    """

    dim: int
    curvature: float
    learn_curvature: bool
    r_max: float
    adapter_rank: int
    adapter_alpha: float
    adapter_dropout: float
    dropout: float | None
    channels: tuple[str, ...]
    channel_tokens: int
    head_ridge: float
    placement_ridge: float
    head_units: int | None
    embedding_dropout: float
    embedding_noise: float
    mode: str
    shared_adapter: bool
    checkpointing: bool
    code_points: str
    offset_start: str
    geometry: str
    fusion: FusionConfig

    def __post_init__(self) -> None:
        require(self.dim >= 3, 'model.dim', self.dim, 'at least 3')
        require(0.1 <= self.curvature <= 10, 'model.curvature', self.curvature, 'in [0.1, 10]')
        require(0 < self.r_max < math.inf, 'model.r_max', self.r_max, 'positive')
        require(self.adapter_rank >= 1, 'model.adapter_rank', self.adapter_rank, 'at least 1')
        units, noise = self.head_units, self.embedding_noise
        require(units is None or units >= 1, 'model.head_units', units, 'at least 1')
        require(noise >= 0, 'model.embedding_noise', noise, 'at least 0')
        for name in ('adapter_dropout', 'dropout', 'embedding_dropout'):
            fraction = getattr(self, name)
            require(fraction is None or 0 <= fraction < 1, f'model.{name}', fraction, 'in [0, 1)')
        tokens = self.channel_tokens
        require(tokens >= 1, 'model.channel_tokens', tokens, 'at least 1')
        for name in ('head_ridge', 'placement_ridge'):
            penalty = getattr(self, name)
            require(penalty > 0, f'model.{name}', penalty, 'positive')
        if not self.channels:
            raise ConfigError('model.channels must name at least one channel')
        for channel in self.channels:
            one_of('model.channels', channel, CHANNELS)
        distinct = len(set(self.channels)) == len(self.channels)
        require(distinct, 'model.channels', list(self.channels), 'distinct')
        one_of('model.mode', self.mode, MODES)
        one_of('model.code_points', self.code_points, CODE_POINTS)
        one_of('model.offset_start', self.offset_start, OFFSET_STARTS)
        one_of('model.geometry', self.geometry, GEOMETRIES)
        if self.learn_curvature and self.geometry != 'lorentz':
            raise ConfigError('model.learn_curvature needs model.geometry=lorentz')
        if self.geometry == 'spherical':
            reach = math.pi / math.sqrt(self.curvature)
            expected = f'below {reach:.3f} on a sphere'
            require(self.r_max < reach, 'model.r_max', self.r_max, expected)
