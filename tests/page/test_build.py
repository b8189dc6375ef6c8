"""The page that is shipped is the page that the sources make, and it needs nothing from anywhere else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import bot.rehearsal

PAGE = Path(bot.rehearsal.__file__).parent / "page"
STATIC = PAGE / "static"
INDEX = (STATIC / "index.html").read_text()


def hash_of_sources() -> str:
    """The sum that build.mjs writes into index.html."""
    files = [path.relative_to(PAGE).as_posix() for path in (PAGE / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for name in sorted([*files, "build.mjs", "package-lock.json"]):
        digest.update(name.encode() + b"\0" + (PAGE / name).read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def test_the_shipped_build_is_of_the_current_sources() -> None:
    built_from = re.search(r'name="sources" content="(\w+)"', INDEX)
    assert built_from is not None
    assert built_from[1] == hash_of_sources(), "the page's sources have changed: run `make page` and commit static/"


def test_everything_that_the_page_names_is_shipped_and_nothing_else_is() -> None:
    named = set(re.findall(r"/page/([\w./-]+)", INDEX))
    styles = next(STATIC.glob("assets/*.css")).read_text()
    named |= {f"assets/{name}" for name in re.findall(r'url\("?\./([\w.-]+)', styles)}
    shipped = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    licences = {name for name in shipped if name.endswith(".LEGAL.txt")}
    assert shipped - licences == named | {"index.html"}


def test_the_page_loads_nothing_from_elsewhere() -> None:
    styles = next(STATIC.glob("assets/*.css")).read_text()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", INDEX)
    assert not re.findall(r"url\([\"']?(?:https?:)?//", styles)
    assert "<script>" not in INDEX and "onload=" not in INDEX


def test_no_source_turns_text_into_markup() -> None:
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(")
    sources = [path for path in (PAGE / "src").rglob("*") if path.suffix in (".ts", ".tsx")]
    assert sources
    assert not [path.name for path in sources if forbidden.search(path.read_text())]
