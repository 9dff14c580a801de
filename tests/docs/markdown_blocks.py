"""Code blocks of Markdown pages, with what the comment in front of each says about it.

<!-- file: PATH -->       the block is the content of a file
<!-- not run: REASON -->  the block's commands are not run by tests
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

_COMMENT = re.compile(r"<!-- (file|not run): (.+?) -->", re.DOTALL)
_EXIT = re.compile(r"# exit code (\d+)")
_ANY = "..."


@dataclass(frozen=True)
class Command:
    """A command of a console block, the lines it prints ("..." stands for any), and its exit code."""

    text: str
    output: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        said = _EXIT.search(self.text)
        return int(said[1]) if said else 0


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, its language ("" where none is said), its text."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None = None
    not_run: str | None = None
    commands: tuple[Command, ...] = field(default=())


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found, said = [], None
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            said = _COMMENT.search(token.content)
        elif token.type == "fence":
            assert token.map is not None
            language = token.info.split()[0] if token.info.split() else ""
            found.append(
                Block(
                    page=page,
                    line=token.map[0] + 1,
                    language=language,
                    text=token.content,
                    file=said[2] if said and said[1] == "file" else None,
                    not_run=" ".join(said[2].split()) if said and said[1] == "not run" else None,
                    commands=_commands(token.content) if language == "console" else (),
                )
            )
            said = None
        elif token.level == 0:
            said = None
    return found


def _commands(text: str) -> tuple[Command, ...]:
    """What stands behind "$ ", over lines that end with a backslash, each with the lines up to the next one."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif found and found[-1][0][-1].endswith("\\") and not found[-1][1]:
            found[-1][0].append(line)
        elif found:
            found[-1][1].append(line)
        elif line.strip():
            raise ValueError(f"output before the first command: {line!r}")
    return tuple(Command("\n".join(command), tuple(output)) for command, output in found)


def difference(expected: tuple[str, ...], printed: str, exact: bool) -> str | None:
    """The first line that was expected and not printed, in order; None: there is none.

    A line "..." stands for any lines, "..." in a line for any text. Bars and the number of spaces do not count: a
    terminal's are not those of a pipe. Where ``exact`` is false, any number is taken for any other: another compiler
    makes other ones.
    """
    lines = [_plain(line, exact) for line in printed.splitlines()]
    at, anywhere = 0, False
    for line in expected:
        if line.strip() == _ANY:
            anywhere = True
            continue
        pattern = ".*".join(re.escape(part) for part in _plain(line, exact).split(_ANY))
        places = range(at, len(lines) if anywhere else min(at + 1, len(lines)))
        place = next((index for index in places if re.fullmatch(pattern, lines[index])), None)
        if place is None:
            shown = lines[at] if at < len(lines) else "nothing more"
            return f"expected {'below ' if anywhere else ''}: {line}\nprinted: {shown}"
        at, anywhere = place + 1, False
    if not anywhere and any(line.strip() for line in lines[at:]) and expected:
        return f"printed, not expected: {lines[at]}"
    return None


def _plain(line: str, exact: bool) -> str:
    line = re.sub(r"[▏▎▍▌▋▊▉█]+|#{1,}", "", line)
    if not exact:
        line = re.sub(r"[\d,]*\d(\.\d+)?", "0", line)
    return re.sub(r"\s+", " ", line).strip()
