"""What each format of a document says: its paragraphs, under which headings, on which page.

Nothing is fetched, no script runs and no entity is resolved. What cannot be read raises Unreadable with the reason.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from bot.domain.passages import MAX_HEADING_CHARS, Block, tidy

MAX_BYTES = 10_000_000
MAX_PAGES = 500
MAX_CHARS = 2_000_000
#: Of the text with every paragraph's headings, which are told anew with each: what the reader may send to the bot.
MAX_TOLD_CHARS = 10_000_000
#: Of a DOCX, which is a packed folder: what it may hold unpacked, and in how many files.
MAX_UNPACKED_BYTES, MAX_MEMBERS = 60_000_000, 2_000
#: Fewer letters than this a page, over all pages, are stamps on scanned pictures.
MIN_CHARS_PER_PAGE = 5


class Reason(StrEnum):
    """Why a document cannot be used. What people read about it is in bot/texts/knowledge.py."""

    TOO_LARGE = "too_large"  #: More bytes than MAX_BYTES.
    TOO_MANY_PAGES = "too_many_pages"
    TOO_MUCH_TEXT = "too_much_text"
    UNKNOWN_TYPE = "unknown_type"  #: None of the formats that are read.
    NOT_WHAT_IT_SAYS = "not_what_it_says"  #: Its name ends in another format's ending.
    OLD_WORD = "old_word"  #: `.doc`, or a DOCX with a password: both are the same container.
    ENCRYPTED = "encrypted"
    SCANNED = "scanned"  #: Pages without text.
    EMPTY = "empty"
    BINARY = "binary"  #: No text at all.
    NOT_UTF8 = "not_utf8"
    BOMB = "bomb"  #: Unpacks to far more than a document holds.
    DAMAGED = "damaged"
    TOO_SLOW = "too_slow"  #: Reading it took longer, or more memory, than a document may take.


class Unreadable(Exception):
    """This document cannot be read. Its `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDocument:
    blocks: tuple[Block, ...]
    #: None where the format has no pages.
    pages: int | None = None


def read_document(name: str, data: bytes) -> ReadDocument:
    """Read a document by what it is; its name has to agree. Raises Unreadable."""
    if len(data) > MAX_BYTES:
        raise Unreadable(Reason.TOO_LARGE)
    ending = PurePath(name).suffix.casefold()
    found = _READERS[_find_format(ending, data)](data)
    blocks = tuple(block for block in found.blocks if tidy(block.text))
    if not blocks:
        raise Unreadable(Reason.EMPTY)
    chars = sum(len(block.text) for block in blocks)
    told = chars + sum(len(heading) for block in blocks for heading in block.headings)
    if chars > MAX_CHARS or told > MAX_TOLD_CHARS:
        raise Unreadable(Reason.TOO_MUCH_TEXT)
    return ReadDocument(blocks=blocks, pages=found.pages)


def _find_format(ending: str, data: bytes) -> str:
    wanted = ENDINGS.get(ending)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(Reason.OLD_WORD if ending in (".doc", ".docx") else Reason.UNKNOWN_TYPE)
    if wanted is None:
        raise Unreadable(Reason.UNKNOWN_TYPE)
    is_pdf, is_zip = b"%PDF-" in data[:1024], data.startswith(b"PK\x03\x04")
    if not data.strip():
        raise Unreadable(Reason.EMPTY)
    if (wanted == "pdf") != is_pdf or (wanted == "docx") != is_zip:
        raise Unreadable(Reason.NOT_WHAT_IT_SAYS)
    return wanted


# ------------------------------------------------------------------------------------------------ PDF


def _read_pdf(data: bytes) -> ReadDocument:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):  # with an empty password, anybody may read it
            raise Unreadable(Reason.ENCRYPTED)
        pages = len(reader.pages)
        if pages > MAX_PAGES:
            raise Unreadable(Reason.TOO_MANY_PAGES)
        blocks, chars = [], 0
        for number, page in enumerate(reader.pages, start=1):
            for paragraph in _paragraphs(page.extract_text()):
                chars += len(paragraph)
                blocks.append(Block(text=paragraph, page=number))
            if chars > MAX_CHARS:
                raise Unreadable(Reason.TOO_MUCH_TEXT)
    except PyPdfError as error:
        raise Unreadable(Reason.DAMAGED) from error
    if chars < MIN_CHARS_PER_PAGE * pages or not chars:
        raise Unreadable(Reason.SCANNED)
    return ReadDocument(blocks=tuple(blocks), pages=pages)


def _paragraphs(page: str) -> list[str]:
    """A page's lines are broken where the paper ended, not where a sentence does."""
    text = re.sub(r"(?<=\w)-\n(?=[a-zà-ÿ])", "", tidy(page))
    return [re.sub(r"\n(?![-•*▪◦–]\s)", " ", part) for part in re.split(r"\n\s*\n", text) if part.strip()]


# ------------------------------------------------------------------------------------------------ DOCX


def _read_docx(data: bytes) -> ReadDocument:
    from docx import Document
    from docx.opc.exceptions import OpcError
    from docx.table import Table
    from lxml.etree import XMLSyntaxError

    _check_package(data)
    try:
        document = Document(io.BytesIO(data))
        outline = _Outline()
        blocks = []
        for part in document.iter_inner_content():
            if isinstance(part, Table):
                rows = [" | ".join(dict.fromkeys(cell.text.strip() for cell in row.cells)) for row in part.rows]
                blocks.append(outline.block("\n".join(rows)))
                continue
            level = _heading_level(part.style.name if part.style is not None else "")
            if level and part.text.strip():
                outline.enter(level, part.text)
            else:
                blocks.append(outline.block(part.text))
    except (OpcError, XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Unreadable(Reason.DAMAGED) from error
    return ReadDocument(blocks=tuple(blocks))


def _check_package(data: bytes) -> None:
    """Look at the list of contents before anything is unpacked. What is read later is never more than is listed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            members = package.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise Unreadable(Reason.DAMAGED) from error
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise Unreadable(Reason.BOMB)
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable(Reason.ENCRYPTED)
    if not {"[Content_Types].xml", "word/document.xml"} <= {member.filename for member in members}:
        raise Unreadable(Reason.NOT_WHAT_IT_SAYS)


def _heading_level(style: str | None) -> int:
    """1 for `Title` and `Heading 1`; 0 for what is no heading."""
    if style == "Title":
        return 1
    found = re.fullmatch(r"[Hh]eading (\d)", style or "")
    return int(found[1]) if found else 0


# ------------------------------------------------------------------------------------------------ text formats


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in data:
        raise Unreadable(Reason.BINARY)
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(Reason.NOT_UTF8) from error
    if sum(c < " " and c not in "\n\r\t\f\v" for c in text) > len(text) / 20:
        raise Unreadable(Reason.BINARY)
    return text


def _read_text(data: bytes) -> ReadDocument:
    return ReadDocument(blocks=tuple(Block(text=part) for part in re.split(r"\n\s*\n", tidy(_decoded(data)))))


def _read_markdown(data: bytes) -> ReadDocument:
    """Headings shape the outline; everything else stays as it was written, which people and models read well."""
    from markdown_it import MarkdownIt

    text = re.sub(r"\A---\n.*?\n---\n", "", _decoded(data).replace("\r\n", "\n"), flags=re.DOTALL)
    lines = text.split("\n")
    outline = _Outline()
    blocks: list[Block] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for number, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        written = "\n".join(lines[token.map[0] : token.map[1]])
        if token.type == "heading_open":
            outline.enter(int(token.tag[1]), tokens[number + 1].content)
        elif token.type == "html_block":
            blocks += [outline.block(block.text) for block in _html_blocks(written)]
        else:
            blocks.append(outline.block(written))
    return ReadDocument(blocks=tuple(blocks))


def _read_html(data: bytes) -> ReadDocument:
    return ReadDocument(blocks=tuple(_html_blocks(_decoded(data))))


#: Not a document's text: code, what is drawn, what is filled in, and the way around the site.
_DROPPED = re.compile(
    "script|style|template|noscript|svg|math|head|title|iframe|object|embed|canvas|audio|video|select|textarea|button|nav"
)
_BLOCKS = re.compile(
    "address|article|aside|blockquote|body|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|header|hr|h[1-6]|"
    "li|main|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def _html_blocks(text: str) -> Iterator[Block]:
    """A paragraph each, in order. What a browser would not show is left out: it is no part of what people approved."""
    from lxml import etree

    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8")
    root = etree.fromstring(text.encode("utf-8", "ignore"), parser) if text.strip() else None
    if root is None:
        return
    outline, heard = _Outline(), list[str]()
    level = 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        is_heading = bool(re.fullmatch(r"h[1-6]", tag))
        if _BLOCKS.fullmatch(tag):
            said = tidy("".join(heard))
            heard = []
            if said and level:
                outline.enter(level, said)
            elif said:
                yield outline.block(said)
            level = int(tag[1]) if is_heading and event == "start" else 0
        if tag == "br" and event == "start":
            heard.append("\n")
        if event == "start" and (not tag or _DROPPED.fullmatch(tag) or _is_hidden(element)):
            walk.skip_subtree()
        elif event == "start" and element.text:
            heard.append(_flowing(element, element.text))
        if event == "end" and element.tail:
            heard.append(_flowing(element.getparent(), element.tail))
    said = tidy("".join(heard))
    if said:
        yield outline.block(said)


def _is_hidden(element: Any) -> bool:
    return "hidden" in element.attrib or bool(_HIDDEN.search(element.get("style") or ""))


def _flowing(parent: Any, text: str) -> str:
    """Line ends mean nothing outside of `pre`."""
    is_kept = parent is not None and (parent.tag == "pre" or any(one.tag == "pre" for one in parent.iterancestors()))
    return text if is_kept else re.sub(r"\s+", " ", text)


class _Outline:
    """The headings that are open at this place of a document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, text: str) -> None:
        self._open = [one for one in self._open if one[0] < level]
        self._open.append((level, " ".join(tidy(text).split())[:MAX_HEADING_CHARS]))

    def block(self, text: str) -> Block:
        return Block(text=text, headings=tuple(heading for _, heading in self._open if heading))


#: Ending → format. A text that is called nothing in particular is a text.
ENDINGS = {
    ".pdf": "pdf", ".docx": "docx", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".txt": "text", ".text": "text", "": "text",
}  # fmt: skip
_READERS: dict[str, Callable[[bytes], ReadDocument]] = {
    "pdf": _read_pdf, "docx": _read_docx, "markdown": _read_markdown, "html": _read_html, "text": _read_text,
}  # fmt: skip
