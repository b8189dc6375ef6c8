"""The pages of docs/ that say what the code says: the file map and the settings. `python -m` this to write them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bot", "trainer", "db", "config")


def first_line(path: Path) -> str:
    """The first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def file_map() -> str:
    """One line a file, in each room, with what is always true there."""
    lines = [
        "# File map",
        "",
        "One line a file: the first paragraph of its docstring. Written by `make docs`, checked by the tests.",
        "",
    ]
    for room in ROOMS:
        lines += [f"## {room}/", "", "| file | what it holds |", "|---|---|"]
        for path in sorted((ROOT / room).rglob("*.py")):
            if "versions" in path.parts or not path.read_text().strip():
                continue
            lines.append(f"| `{path.relative_to(ROOT)}` | {first_line(path)} |".replace("||", "\\|\\|"))
        lines.append("")
    return "\n".join(lines)


def settings_page() -> str:
    """Every setting with its default and the comment above it in config/settings.py."""
    source = (ROOT / "config/settings.py").read_text()
    body = source[source.index("class Settings") : source.index("    @property")]
    lines = [
        "# Settings",
        "",
        "Each can stand in the environment or in a `.env` file. Written by `make docs` from `config/settings.py`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    comment: list[str] = []
    for line in body.splitlines():
        if line.strip().startswith("#:"):
            comment.append(line.strip()[2:].strip())
            continue
        found = re.match(r"    (\w+): ([^=]+)(?:= (.*))?$", line)
        if found and found[1] != "model_config":
            name = found[1]
            variable = (
                name.upper() if name.startswith("slack_") and "SecretStr" in found[2] else f"HUISSTIJL_{name.upper()}"
            )
            lines.append(f"| `{variable}` | {_default(found[3] or '')} | {' '.join(comment)} |")
        if line.strip():
            comment = []
    return "\n".join(lines) + "\n"


def _default(expression: str) -> str:
    value = re.sub(r"^(?:Field|Path)\(([^,)]*).*$", r"\1", expression.strip())
    return "" if value in ("", "None") else f"`{value}`"


PAGES = {"docs/file-map.md": file_map, "docs/settings.md": settings_page}


if __name__ == "__main__":
    for name, write in PAGES.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(write())
