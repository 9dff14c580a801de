"""What the harness can say: every error that its code makes, read from the code itself."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import errors

ROOT = Path(__file__).resolve().parents[2]
# What stands in a message for a value that is known only when it is said.
VALUE = "…"

KINDS = {
    name: kind.exit_code
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.HarnessError)
}


@dataclass(frozen=True)
class Message:
    """One place that makes an error: its kind, exit code, text and hint (None: none, or made elsewhere)."""

    kind: str
    exit_code: int
    text: str
    hint: str | None
    module: str
    line: int


@functools.cache
def collect(package: Path = ROOT / "harness") -> tuple[Message, ...]:
    """All errors whose text stands where they are made, by module and line; texts that are passed on are not here."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = dict(_constants(tree))
        module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS):
                continue
            arguments = {keyword.arg: keyword.value for keyword in node.keywords}
            text = _text(node.args[0] if node.args else arguments.get("message"), constants)
            hint = _text(node.args[1] if len(node.args) > 1 else arguments.get("hint"), constants)
            if text is None or not any(letter.isalpha() for letter in text.replace(VALUE, "")):
                continue
            found.append(Message(node.func.id, KINDS[node.func.id], text, hint, module, node.lineno))
    return tuple(sorted(found, key=lambda item: (item.module, item.line)))


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _text(node.value, {})
            if value is not None:
                yield node.targets[0].id, value


def _text(node: ast.expr | None, constants: dict[str, str]) -> str | None:
    """A text with VALUE for each of its values, in one line; None where it is not a text that stands there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else VALUE for part in node.values]
        return " ".join("".join(str(part) for part in parts).split())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left, constants), _text(node.right, constants)
        return None if left is None and right is None else (left or VALUE) + (right or VALUE)
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    return None
