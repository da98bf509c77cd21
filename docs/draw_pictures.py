"""Draw the pictures of the concept pages from the library's own geometry.

    python docs/draw_pictures.py [FOLDER]

Writes SVG files, docs/images by default; the same code gives the same files.
"""

import math
import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from naics_embed.artifacts import atomic_file
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.geometry import cones, lorentz
from naics_embed.geometry.models import from_poincare, to_poincare
from naics_embed.objective.term import Schedule

ROOT = Path(__file__).resolve().parents[1]
C = 1.0
INK = '#7a7f99'
"""Grey that can be read on white and on black."""
STEPS = 60


def hyperboloid() -> Figure:
    """Points of one branch of the hyperbola, a geodesic, and the disk they are seen in."""
    plot = _figure(7.5, 4.2)
    axes = plot.subplots()
    reach = torch.linspace(-2.2, 2.2, 200, dtype=torch.float64)[:, None]
    sheet = lorentz.to_ambient(lorentz.exp0(reach, c=C), c=C)
    axes.plot(sheet[:, 1], sheet[:, 0], color='C0', label='the space: t = √(1 + s²)')
    far = 4.6
    axes.plot([-far, 0, far], [far, 0, far], color=INK, lw=0.8, ls=':', label='light cone t = |s|')
    tangent = torch.tensor([[-1.6], [-0.8], [0.0], [0.8], [1.6]], dtype=torch.float64)
    points = lorentz.exp0(tangent, c=C)
    ambient = lorentz.to_ambient(points, c=C)
    disk = to_poincare(points, c=C)
    for (time, space), seen in zip(ambient.tolist(), disk[:, 0].tolist(), strict=True):
        axes.plot([0, space], [-1, time], color='C1', lw=0.7, ls='--')
        axes.plot(seen, 0, 'o', color='C1', ms=5)
        axes.plot(space, time, 'o', color='C0', ms=5)
    axes.plot([-1, 1], [0, 0], color='C1', lw=2, label='the Poincaré disk')
    axes.plot(0, -1, 'x', color=INK)
    axes.annotate('eye', (0.1, -1), color=INK)
    axes.annotate('origin: the root', (0.1, 1.08), color=INK, fontsize='small')
    axes.set(xlabel='s (stored)', ylabel='t (derived)', ylim=(-1.3, 4.2), xlim=(-4.2, 4.2))
    axes.legend(loc='upper center', fontsize='small', framealpha=0)
    return plot


def tree_in_the_disk() -> Figure:
    """The same tree in the Poincaré disk and in the plane, every edge of one length."""
    plot = _figure(9, 4.6)
    left, right = plot.subplots(1, 2)
    for axes, curved in ((left, True), (right, False)):
        axes.set_aspect('equal')
        axes.axis('off')
        nodes = _layout(curved=curved, edge=1.05, branches=3, depth=4)
        for parent, child, depth in nodes:
            line = _edge(parent, child, curved)
            axes.plot(line[:, 0], line[:, 1], color=f'C{depth - 1}', lw=1.0)
            end = line[-1]
            axes.plot(end[0], end[1], 'o', color=f'C{depth - 1}', ms=5 - depth)
    circle = np.linspace(0, 2 * math.pi, 200)
    left.plot(np.cos(circle), np.sin(circle), color=INK, lw=0.8)
    left.set_title('hyperbolic: room for every branch', color=INK, fontsize='medium')
    right.set_title('flat, the same edges: branches collide', color=INK, fontsize='medium')
    return plot


def room() -> Figure:
    """How fast room grows with the radius, and how far two points at one angle are apart."""
    plot = _figure(9, 3.6)
    left, right = plot.subplots(1, 2)
    radii = torch.linspace(0.05, 6, STEPS, dtype=torch.float64)
    # The circumference, measured as the length of a fine polygon.
    corners = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    unit = torch.stack([corners.cos(), corners.sin()], dim=1)
    lengths = [
        float(lorentz.distance(ring[:-1], ring[1:], c=C).sum())
        for ring in (lorentz.exp0(float(r) * unit, c=C) for r in radii)
    ]
    left.semilogy(radii, lengths, label='hyperbolic circle')
    left.semilogy(radii, 2 * math.pi * radii, color=INK, ls='--', label='flat circle')
    left.set(xlabel='radius', ylabel='circumference')
    for degrees in (5, 30, 180):
        angle = math.radians(degrees)
        ray = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
        other = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        apart = [
            float(lorentz.distance(lorentz.exp0(r * ray, c=C), lorentz.exp0(r * other, c=C), c=C))
            for r in radii
        ]
        right.plot(radii, apart, label=f'{degrees}° apart')
    right.plot(radii, 2 * radii, color=INK, ls='--', label='by way of the root')
    right.set(xlabel='radius of both points', ylabel='distance')
    for axes in (left, right):
        axes.legend(fontsize='small', framealpha=0)
        axes.grid(alpha=0.3)
    return plot


def entailment_cones() -> Figure:
    """Cones of three points in the disk: the farther out, the narrower."""
    plot = _figure(4.8, 4.8)
    axes = plot.subplots()
    axes.set_aspect('equal')
    axes.axis('off')
    grid = torch.linspace(-0.98, 0.98, 360, dtype=torch.float64)
    x, y = torch.meshgrid(grid, grid, indexing='xy')
    inside = x.square() + y.square() < 0.96
    field = from_poincare(torch.stack([x[inside], y[inside]], dim=1), c=C)
    for index, (radius, angle) in enumerate(((0.7, 0.4), (1.3, 2.4), (2.0, 4.3))):
        direction = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        apex = lorentz.exp0(radius * direction, c=C)
        score = torch.full(x.shape, -1.0, dtype=torch.float64)
        score[inside] = cones.entailment_score(apex.expand(len(field), -1), field, c=C, k=0.3)
        colour = f'C{index}'
        axes.contourf(x, y, score, levels=[0.0, 10.0], colors=[colour], alpha=0.35)
        seen = to_poincare(apex, c=C)[0].tolist()
        axes.plot(*seen, 'o', color=colour, ms=6)
    circle = np.linspace(0, 2 * math.pi, 200)
    axes.plot(np.cos(circle), np.sin(circle), color=INK, lw=0.8)
    axes.plot(0, 0, '+', color=INK)
    return plot


def lost_digits() -> Figure:
    """Relative error of the distance of two close points in float32, by their radius."""
    plot = _figure(7, 3.6)
    axes = plot.subplots()
    generator = torch.Generator().manual_seed(0)
    radii = np.linspace(0.5, 10, 30)
    errors: dict[str, list[float]] = {'arcosh(−⟨x, y⟩)': [], 'haversine (ours)': []}
    for r in radii:
        direction = torch.randn(200, 16, generator=generator, dtype=torch.float64)
        direction = direction / direction.norm(dim=1, keepdim=True)
        x = lorentz.exp0(r * direction, c=C).float()
        y = lorentz.exp0((r + 0.05) * direction, c=C).float()
        exact = lorentz.distance(x.double(), y.double(), c=C)
        times = (1 + x.square().sum(1)).sqrt() * (1 + y.square().sum(1)).sqrt()
        naive = torch.acosh((times - (x * y).sum(1)).clamp_min(1.0)).double()
        ours = lorentz.distance(x, y, c=C).double()
        for name, found in zip(errors, (naive, ours), strict=True):
            errors[name].append(float(((found - exact).abs() / exact).median()))
    for name, values in errors.items():
        axes.semilogy(radii, np.maximum(values, 1e-9), marker='.', label=name)
    axes.set(xlabel='radius of the points', ylabel='median relative error')
    axes.legend(fontsize='small', framealpha=0)
    axes.grid(alpha=0.3)
    return plot


def curriculum(config: Config) -> Figure:
    """The weight of a negative by its tree distance, and the schedule of a term."""
    plot = _figure(9, 3.4)
    left, right = plot.subplots(1, 2)
    steps = np.arange(1, 11)
    exponent = config.curriculum.distance_exponent
    left.bar(steps, steps**-exponent, color='C0')
    left.set(xlabel='tree distance D* of the negative', ylabel='weight in the first phase')
    progress = np.linspace(0, 1, 200)
    examples = {
        'whole run': Schedule(),
        'start .2, ramp .3': Schedule(start=0.2, ramp=0.3),
        'end .8, fade .5': Schedule(end=0.8, fade=0.5),
    }
    for name, schedule in examples.items():
        right.plot(progress, [schedule.factor(float(p)) for p in progress], label=name)
    for place in (config.curriculum.refinement, config.curriculum.mitigation):
        right.axvline(place, color=INK, lw=0.8, ls=':')
    right.set(xlabel='fraction of the run (dotted: phases begin)', ylabel='factor on a weight')
    right.legend(fontsize='small', framealpha=0)
    return plot


def _layout(
    *, curved: bool, edge: float, branches: int, depth: int
) -> list[tuple[torch.Tensor, torch.Tensor, int]]:
    """Return edges (parent, child, depth) of a tree in the plane, after Sarkar (2011)."""
    edges = []
    start = torch.zeros(1, 2, dtype=torch.float64)
    level = [(start, 2 * math.pi * i / branches) for i in range(branches)]
    for step in range(1, depth + 1):
        following = []
        for place, angle in level:
            heading = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
            child = _walk(place, heading, edge, curved)
            edges.append((place, child, step))
            forward = _arrival(place, child, edge, curved)
            spread = np.linspace(-math.pi / 3, math.pi / 3, branches)
            following += [(child, forward + float(turn)) for turn in spread]
        level = following
    return edges


def _walk(place: torch.Tensor, heading: torch.Tensor, edge: float, curved: bool) -> torch.Tensor:
    if not curved:
        return place + edge * heading
    origin = torch.zeros_like(place)
    return lorentz.exp(place, lorentz.parallel_transport(origin, place, edge * heading, c=C), c=C)


def _arrival(place: torch.Tensor, child: torch.Tensor, edge: float, curved: bool) -> float:
    """Return the angle at which a child was reached, in the frame carried from the origin."""
    if not curved:
        onward = child - place
    else:
        back = lorentz.log(child, place, c=C)
        onward = lorentz.parallel_transport(child, torch.zeros_like(child), -back, c=C)
    return math.atan2(float(onward[0, 1]), float(onward[0, 0]))


def _edge(parent: torch.Tensor, child: torch.Tensor, curved: bool) -> np.ndarray:
    if not curved:
        return torch.cat([parent, child]).numpy()
    line = [lorentz.geodesic(parent, child, float(t), c=C) for t in np.linspace(0, 1, STEPS // 4)]
    return to_poincare(torch.cat(line), c=C).numpy()


def _figure(width: float, height: float) -> Figure:
    plot = Figure(figsize=(width, height), layout='constrained')
    # Seen on the light and on the dark page.
    plot.patch.set_alpha(0)
    return plot


def _neutral(plot: Figure) -> None:
    """Colour frames and words so that both themes can be read."""
    for axes in plot.axes:
        axes.set_facecolor('none')
        axes.tick_params(colors=INK, which='both')
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
        if axes.get_legend() is not None:
            for text in axes.get_legend().get_texts():
                text.set_color(INK)


def draw(folder: Path) -> list[Path]:
    """Draw every picture into a folder, and return the files."""
    config = load_config(ROOT / 'configs', 'cpu').config
    pictures = {
        'hyperboloid': hyperboloid,
        'tree': tree_in_the_disk,
        'room': room,
        'cones': entailment_cones,
        'digits': lost_digits,
        'curriculum': lambda: curriculum(config),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in pictures.items():
        with matplotlib.rc_context({'svg.hashsalt': name, 'svg.fonttype': 'none'}):
            plot = make()
            _neutral(plot)
            path = folder / f'{name}.svg'
            with atomic_file(path) as temporary:
                plot.savefig(temporary, format='svg', metadata={'Date': None, 'Creator': None})
        written.append(path)
    return written


if __name__ == '__main__':
    for file in draw(Path(sys.argv[1]) if sys.argv[1:] else ROOT / 'docs' / 'images'):
        sys.stdout.write(f'{file}\n')
