"""SVG elements and axes. Colours are classes, which the style sheet gives for light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TICK = 5.0
CLOSE = 1e-9


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """Return an element; an underscore in an attribute's name is a hyphen, and None leaves it out.

    Attributes and children are escaped, other elements among the children are not.
    """
    given = Markup('').join(
        Markup(' {}="{}"').format(name.rstrip('_').replace('_', '-'), _plain(value))
        for name, value in attributes.items()
        if value is not None
    )
    inner = Markup('').join(escape(child) for child in children)
    return Markup('<{0}{1}>{2}</{0}>').format(Markup(tag), given, inner)


def picture(width: float, height: float, label: str, *children: Markup) -> Markup:
    """Return an SVG that says in words what it shows.

    Args:
        width: of the drawing in pixels; it shrinks with the page.
        height: of the drawing.
        label: read out by screen readers.
        children: what is drawn.
    """
    return element(
        'svg',
        *children,
        viewBox=f'0 0 {width:g} {height:g}',
        width=width,
        height=height,
        role='img',
        aria_label=label,
        class_='chart',
    )


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels.

    Attributes:
        low: value at ``begin``.
        high: value at ``end``.
        begin: pixel.
        end: pixel.
    """

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low
        fraction = 0.5 if span == 0 else (value - self.low) / span
        return self.begin + fraction * (self.end - self.begin)

    def ticks(self, count: int = 5) -> list[float]:
        """Return some ``count`` round values between both ends."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        step = _round_step(span / count)
        first = math.ceil(self.low / step - CLOSE)
        last = math.floor(self.high / step + CLOSE)
        return [step * index for index in range(first, last + 1)]


class LogScale(Scale):
    """A map from the logarithms of positive values to pixels."""

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = math.log(self.high / self.low)
        return self.begin + math.log(value / self.low) / span * (self.end - self.begin)

    def ticks(self, count: int = 5) -> list[float]:
        """Return the powers of ten between both ends; some values between them if these are few."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        inside = [
            (step, step * 10.0**decade)
            for decade in decades
            for step in (1, 2, 5)
            if self.low <= step * 10.0**decade <= self.high
        ]
        powers = [value for step, value in inside if step == 1]
        return powers if len(powers) >= count - 1 else [value for _, value in inside]


@dataclass(frozen=True)
class Plot:
    """A pair of axes in a rectangle of pixels.

    Attributes:
        x: scale of the horizontal axis.
        y: scale of the vertical axis; its ``begin`` is the lower edge.
    """

    x: Scale
    y: Scale

    @classmethod
    def of(
        cls,
        width: float,
        height: float,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        left: float = 52,
        right: float = 22,
        top: float = 28,
        bottom: float = 40,
        log: bool = False,
    ) -> 'Plot':
        """Return the plot of a picture, within margins; ``log`` is of the vertical axis."""
        vertical = LogScale if log else Scale
        return cls(Scale(*x, left, width - right), vertical(*y, height - bottom, top))

    def axes(
        self,
        x_label: str,
        y_label: str,
        *,
        x_ticks: Sequence[tuple[float, str]] | None = None,
        y_ticks: Sequence[tuple[float, str]] | None = None,
    ) -> Markup:
        """Draw the grid, the numbers and the names of both axes."""
        across = x_ticks if x_ticks is not None else numbered(self.x.ticks())
        up = y_ticks if y_ticks is not None else numbered(self.y.ticks(4))
        drawn = []
        for value, text in up:
            y = self.y(value)
            drawn.append(element('line', x1=self.x.begin, x2=self.x.end, y1=y, y2=y, class_='grid'))
            drawn.append(label(self.x.begin - 6, y + 4, text, anchor='end'))
        for value, text in across:
            x = self.x(value)
            end = self.y.begin + TICK
            drawn.append(element('line', x1=x, x2=x, y1=self.y.begin, y2=end, class_='axis'))
            drawn.append(label(x, end + 12, text, anchor='middle'))
        bottom = self.y.begin
        drawn.append(
            element('line', x1=self.x.begin, x2=self.x.end, y1=bottom, y2=bottom, class_='axis')
        )
        middle = (self.x.begin + self.x.end) / 2
        drawn.append(label(middle, bottom + 34, x_label, anchor='middle', strong=True))
        if y_label:
            drawn.append(label(4, self.y.end - 14, y_label, anchor='start', strong=True))
        return Markup('').join(drawn)

    def path(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """Draw a line through points; a value that is not finite leaves a gap."""
        parts, begun = [], False
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                begun = False
                continue
            parts.append(f'{"L" if begun else "M"}{_plain(self.x(x))} {_plain(self.y(y))}')
            begun = True
        return element('path', d=' '.join(parts), class_=class_)

    def dot(
        self, x: float, y: float, class_: str, title: str | None = None, radius: float = 3
    ) -> Markup:
        """Draw a dot that says ``title`` where the pointer rests on it."""
        inner = () if title is None else (element('title', title),)
        return element('circle', *inner, cx=self.x(x), cy=self.y(y), r=radius, class_=class_)


def label(
    x: float, y: float, text: str, *, anchor: str = 'start', strong: bool = False, class_: str = ''
) -> Markup:
    """Write text at a point; ``strong`` for the names of axes."""
    classes = f'{"name" if strong else "tick"} {class_}'.strip()
    return element('text', text, x=x, y=y, text_anchor=anchor, class_=classes)


def numbered(values: Sequence[float]) -> list[tuple[float, str]]:
    """Return each value with its `number`, or with as many digits as distinguish all of them."""
    texts = [number(value) for value in values]
    for digits in range(4, 10):
        if len(set(texts)) == len(values):
            break
        texts = [f'{value:.{digits}g}' for value in values]
    return list(zip(values, texts, strict=True))


def number(value: float) -> str:
    """Write a number as short as it can be read."""
    if value == 0:
        return '0'
    if abs(value) >= 1000:
        return f'{value:,.0f}'
    if abs(value) < 0.001:
        return f'{value:.0e}'
    return f'{value:.3f}'.rstrip('0').rstrip('.') if abs(value) < 100 else f'{value:.0f}'


def limits(
    values: Sequence[float], *, floor: float | None = None, log: bool = False
) -> tuple[float, float]:
    """Return the range of the finite values with a small margin, from ``floor`` where given.

    On a logarithmic axis the margin is a factor.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if log:
        margin = (high / low) ** 0.05
        return low / margin, high * margin
    margin = 0.05 * (high - low) or 0.05 * (abs(high) or 1.0)
    return (low - margin if floor is None else floor), high + margin


def _round_step(rough: float) -> float:
    size = 10.0 ** math.floor(math.log10(rough))
    return next(step * size for step in (1, 2, 2.5, 5, 10) if step * size >= rough * (1 - CLOSE))


def _plain(value: object) -> str:
    """Write a number of pixels without digits that nobody sees."""
    if isinstance(value, float):
        return f'{value:.2f}'.rstrip('0').rstrip('.')
    return str(value)
