"""The card of a code on the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naics_embed.search.card import CodeCard
    from naics_embed.search.code_table import Code, Neighbour


def print_card(card: 'CodeCard') -> None:
    """Print a code with its path, the codes below it, similar ones, and its cross references."""
    from rich.console import Console

    lines = [f'{card.official}  {card.title}  (NAICS {card.vintage})']
    lines += _section('path', [_line(step) for step in card.path[:-1]])
    lines += _section('below it', [_line(child) for child in card.children])
    lines += _section('similar codes', [f'{_line(near)}  ({_near(near)})' for near in card.similar])
    lines += _section(
        'its text sends elsewhere',
        [
            f'{item.activity} → {", ".join(target.official for target in item.targets)}'
            for item in card.redirections
            if item.activity
        ],
    )
    Console(highlight=False, markup=False, emoji=False).print('\n'.join(lines) + '\n')


def _near(near: 'Neighbour') -> str:
    if near.similarity is None:
        return f'distance {near.distance:.2f}'
    return f'similarity {near.similarity:.2f}, distance {near.distance:.2f}'


def _line(code: 'Code') -> str:
    return f'{code.official:<6} {code.title}'


def _section(name: str, lines: list[str]) -> list[str]:
    return [f'{name}:', *(f'  {line}' for line in lines)] if lines else []
