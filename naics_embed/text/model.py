"""The text model: code points and a query encoder in one space."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from naics_embed.errors import ConfigError
from naics_embed.geometry.curvature import LearnedCurvature
from naics_embed.geometry.lorentz import bound_radius
from naics_embed.geometry.spaces import LorentzSpace, Space
from naics_embed.text.encoder import SentenceEncoder
from naics_embed.text.fusion.base import Fused, Fusion
from naics_embed.text.fusion.mean import MaskedMean
from naics_embed.text.head import LorentzHead, unbound_radius
from naics_embed.text.regularise import EmbeddingNoise

ENCODER_PREFIX = 'encoder.'


class TextModel(nn.Module):
    """Codes and texts as points of one space.

    A code's point is a free one (``table``), what its channels give (``text``), or that moved by an
    offset of its own (``text+offset``). For the last two a cache holds the embeddings of all
    channels of all codes, without gradient, so that every code is a candidate in every step; those
    that a step encodes replace their rows in it, with gradient.

    Attributes:
        encoder: token ids → sentence embeddings.
        head: sentence embeddings → tangent vectors.
        fusion: channels of a code → one embedding.
        learned_curvature: the module that gives c where it is learned, or None.
        table: ``(n, dim)`` learned tangents of the codes before their bound, or None.
        offset: ``(n, dim)`` offsets of the codes before the bound, or None.
        log_temperature: log of the factor on the distance in the cross-entropy.
        channels: ``(n, channels, width)``, the cache.
        present: bool ``(n, channels)``.
    """

    channels: Tensor
    present: Tensor

    def __init__(
        self,
        encoder: SentenceEncoder,
        head: LorentzHead,
        start: Tensor,
        temperature: float,
        *,
        code_points: str = 'table',
        fusion: Fusion | None = None,
        space: Space | None = None,
        channels: tuple[Tensor, Tensor] | None = None,
        noise: EmbeddingNoise | None = None,
        learn_curvature: bool = False,
    ) -> None:
        """Build the model.

        Args:
            encoder: the sentence encoder.
            head: the head.
            start: ``(n, dim)`` tangents of norm below the radius bound, where a table starts.
            temperature: initial factor on the distance.
            code_points: ``table``, ``text`` or ``text+offset``; offsets start at zero.
            fusion: masked mean where None.
            space: the Lorentz space of the head where None.
            channels: embeddings and presence of all channels; required unless codes are a table.
            noise: perturbation of the embeddings of texts in training; none where None.
            learn_curvature: whether c is learned, from the head's on; in a Lorentz space only.
        """
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.fusion = fusion or MaskedMean()
        self.noise = noise or EmbeddingNoise()
        self._space = space or LorentzSpace(head.c)
        self.learned_curvature = LearnedCurvature(head.c) if learn_curvature else None
        self.table: nn.Parameter | None = None
        self.offset: nn.Parameter | None = None
        if code_points == 'table':
            self.table = nn.Parameter(unbound_radius(start, r_max=head.r_max).float())
        elif code_points == 'text+offset':
            self.offset = nn.Parameter(torch.zeros(start.shape, dtype=torch.float32))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        empty = torch.zeros(len(start), 1, encoder.width), torch.ones(len(start), 1).bool()
        embeddings, present = channels or empty
        self.register_buffer('channels', embeddings.clone(), persistent=False)
        self.register_buffer('present', present.clone(), persistent=False)

    @property
    def temperature(self) -> Tensor:
        """The factor on the distance in the cross-entropy."""
        return self.log_temperature.exp()

    @property
    def space(self) -> Space:
        """Geometry of the points, at the curvature of this moment."""
        module = self.learned_curvature
        return self._space if module is None else LorentzSpace(module())

    @property
    def curvature(self) -> float:
        """c of this moment."""
        module = self.learned_curvature
        return self.head.c if module is None else float(module().detach())

    @property
    def dim(self) -> int:
        """Dimensions of the space."""
        return self.head.linear.out_features

    @property
    def from_text(self) -> bool:
        """Whether code points come from the texts of the codes."""
        return self.table is None

    def code_points(self, fused: Tensor | None = None) -> Tensor:
        """Points of all codes, float64 ``(n, ·)``.

        Args:
            fused: ``(n, width)``, embeddings of all codes as `fuse_codes` returns them, to be used
                in place of a fusion here. A table needs none.
        """
        return self.space.exp0(self.code_tangents(fused))

    def code_tangents(self, fused: Tensor | None = None) -> Tensor:
        """Tangents of all codes at the origin, float64 ``(n, dim)``; see `code_points`."""
        if self.table is not None:
            free = self.table.double()
        else:
            embedding = self.fuse_codes().embedding if fused is None else fused
            free = self.head.free(embedding).double()
            if self.offset is not None:
                free = free + self.offset.double()
        return bound_radius(free, r_max=self.head.r_max)

    def fuse_codes(self, codes: Tensor | None = None, live: Tensor | None = None) -> Fused:
        """Fuse the cached channels of all codes.

        Args:
            codes: int64 ``(p,)``, distinct codes that were encoded in this step.
            live: ``(p, channels, width)``, their embeddings with gradient.
        """
        embeddings = self.channels
        if codes is not None and live is not None:
            embeddings = embeddings.index_copy(0, codes, live.to(embeddings.dtype))
        return self.fuse(embeddings, self.present)

    def fuse(self, embeddings: Tensor, present: Tensor) -> Fused:
        """Fuse ``(b, channels, width)``; like the head, never in mixed precision."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.fusion(embeddings.float(), present)

    def points(self, embeddings: Tensor) -> Tensor:
        """Unit sentence embeddings ``(..., width)`` → points, float64 ``(..., ·)``.

        In training the embeddings are perturbed first: see `EmbeddingNoise`.
        """
        return self.space.exp0(self.head.tangent(self.noise(embeddings)).double())

    def place(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Embed codes by text alone: return the points of their fused channels.

        Args:
            embeddings: ``(b, channels, width)`` unit embeddings; absent ones are ignored.
            present: bool ``(b, channels)``, at least one true in each row.

        Returns:
            points, float64 ``(b, ·)``.
        """
        return self.points(self.fuse(embeddings, present).embedding)

    @torch.no_grad()
    def start_offsets(self, start: Tensor, chosen: Tensor) -> None:
        """Set the offsets of chosen codes, bool ``(n,)``, so that they begin at ``start``."""
        if self.offset is not None:
            free = self.head.free(self.fuse_codes().embedding)
            target = unbound_radius(start, r_max=self.head.r_max).to(free)
            self.offset.copy_((target - free) * chosen[:, None])

    def light_state(self) -> dict[str, Tensor]:
        """Return copies of all weights but the encoder's: head, fusion, codes, temperature."""
        return {
            name: value.detach().cpu().clone()
            for name, value in self.state_dict().items()
            if not name.startswith(ENCODER_PREFIX)
        }

    def load_light_state(self, state: Mapping[str, Tensor]) -> None:
        """Start from `light_state` of another training.

        Raises:
            ConfigError: a weight is missing, or has another name or shape.
        """
        expected = self.light_state()
        wrong = [
            name
            for name in sorted(set(expected) | set(state))
            if name not in expected
            or name not in state
            or expected[name].shape != state[name].shape
        ]
        if wrong:
            raise ConfigError(
                f'the warm start does not fit this model at {", ".join(wrong)}: model.dim, '
                'model.fusion and model.code_points must be the same in both trainings'
            )
        self.load_state_dict(dict(state), strict=False)
