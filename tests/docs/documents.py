"""The documents of the project, and the commands and Python blocks in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL = {'', 'sh', 'bash', 'shell', 'console'}
PROGRAMS = (
    'naics-embed',
    '.venv/bin/naics-embed',
    'make',
    'python',
    'pytest',
    'pip',
    'prefect',
    'mlflow',
    'docker',
    'export',
    'git',
    'cd',
    'curl',
)
FENCE = re.compile(r'^(\s*)(`{3,}|~{3,})\s*([\w+-]*)')
ASSIGNMENT = re.compile(r'^[A-Z_][A-Z0-9_]*=')
INLINE = re.compile(r'(?<!`)`([^`]+)`(?!`)')
PLACEHOLDER = '...'


def documents() -> list[Path]:
    """README, CONTRIBUTING and every page of the site."""
    top = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md')]
    return [*top, *sorted((ROOT / 'docs').rglob('*.md'))]


@dataclass(frozen=True)
class Command:
    """A command line as a document shows it.

    Attributes:
        document: path in the repository.
        line: its line.
        text: the command, continuation lines joined.
        inline: whether it stands in a sentence.
    """

    document: str
    line: int
    text: str
    inline: bool

    @property
    def words(self) -> list[str]:
        """Its words, without comment and leading assignments."""
        words = shlex.split(self.text, comments=True)
        while words and ASSIGNMENT.match(words[0]):
            words.pop(0)
        return words

    @property
    def assignments(self) -> list[str]:
        """The variables that it sets for itself."""
        found = []
        for word in shlex.split(self.text, comments=True):
            if not ASSIGNMENT.match(word):
                break
            found.append(word.partition('=')[0])
        return found

    def __str__(self) -> str:
        return f'{self.document}:{self.line}: {self.text}'


@dataclass(frozen=True)
class Block:
    """A block of code: the language of its fence ('' for an indented one), first line, text."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f'{self.document}:{self.line}'


def blocks(path: Path) -> list[Block]:
    """Return fenced blocks, and indented blocks whose first words are a program's."""
    name = path.relative_to(ROOT).as_posix()
    found: list[Block] = []
    lines = path.read_text(encoding='utf-8').splitlines()
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if fence:
            start = number + 1
            while number + 1 < len(lines) and not lines[number + 1].strip().startswith(fence[2]):
                number += 1
            body = [line.removeprefix(fence[1]) for line in lines[start : number + 1]]
            found.append(Block(name, start + 1, fence[3], '\n'.join(body)))
            number += 2
            continue
        if lines[number].startswith('    ') and is_command(lines[number].strip()):
            start = number
            while number + 1 < len(lines) and lines[number + 1].startswith('    '):
                number += 1
            body = [line.strip() for line in lines[start : number + 1]]
            found.append(Block(name, start + 1, '', '\n'.join(body)))
        number += 1
    return found


def is_command(text: str) -> bool:
    """Whether a line begins with a program, assignments before it aside."""
    words = text.removeprefix('$ ').split()
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    return bool(words) and words[0] in PROGRAMS


def open_quote(text: str) -> bool:
    """Whether a quoted argument goes on in the next line."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def block_commands(path: Path) -> list[Command]:
    """Return the commands of shell blocks."""
    found = []
    for block in blocks(path):
        if block.language not in SHELL:
            continue
        joined = ''
        for offset, line in enumerate(block.text.splitlines()):
            joined += line.strip().removeprefix('$ ')
            if joined.endswith('\\'):
                joined = joined[:-1]
                continue
            if is_command(joined) and open_quote(joined):
                joined += '\n'
                continue
            if is_command(joined):
                found.append(Command(block.document, block.line + offset, joined, False))
            joined = ''
    return found


def inline_commands(path: Path) -> list[Command]:
    """Return the commands that stand in sentences, tables and lists."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding='utf-8')
    for block in blocks(path):
        if block.language:
            text = text.replace(block.text, '\n' * block.text.count('\n'))
    found = []
    for match in INLINE.finditer(text):
        span = ' '.join(match[1].split()).replace('\\|', '|')
        if is_command(span) and len(span.split()) > 1:
            line = text.count('\n', 0, match.start()) + 1
            found.append(Command(name, line, span, True))
    return found
