"""From a document's text to passages: pieces small enough to be found by their meaning and to stand in a prompt.

A passage never runs over a heading. Long sections are cut between paragraphs, long paragraphs between sentences, and
what follows a cut begins with the end of what stood before it, so that a fact on the border is whole in one of them.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

#: Of a passage: what the embedding model reads at once (256 word pieces), with room for the heading.
MAX_TOKENS = 200
OVERLAP_TOKENS = 40
#: A heading that is longer is a paragraph in disguise.
MAX_HEADING_CHARS = 200

#: What is invisible to a reader and not to a model: direction marks, tags, soft hyphens, zero-width spaces.
_INVISIBLE = re.compile("[\u00ad\u200b\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, a list item or a table as it stands in a document."""

    text: str
    #: The headings it stands under, from the outermost in.
    headings: tuple[str, ...] = ()
    #: Counted from 1, where the format has pages.
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageText:
    text: str
    #: `Leave › Sick leave`; empty where there is no heading.
    heading: str
    page: int | None
    #: Estimated.
    tokens: int


def estimate_tokens(text: str) -> int:
    """About four letters a token; outside ASCII, where a token is shorter, about one and a half."""
    plain = sum(character < "\x80" for character in text)
    return math.ceil(plain / 4 + (len(text) - plain) / 1.5)


def tidy(text: str) -> str:
    """What a reader sees of a text: composed letters, no control or invisible characters, no halves of pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "ignore").decode()
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def plain_name(name: str, most_chars: int) -> str:
    """A document's name on one line and without angle brackets, so that it is a name wherever it is shown."""
    told = " ".join(tidy(name).replace("<", "‹").replace(">", "›").split())
    return told if len(told) <= most_chars else f"{told[: most_chars - 1]}…"


def split_passages(
    blocks: Iterable[Block], *, most_tokens: int = MAX_TOKENS, overlap_tokens: int = OVERLAP_TOKENS
) -> list[PassageText]:
    """The passages of a document in its order, none longer than `most_tokens` (estimated)."""
    passages: list[PassageText] = []
    for headings, section in groupby(blocks, key=lambda block: block.headings):
        heading = " › ".join(one[:MAX_HEADING_CHARS] for one in headings)
        for page, text in _pack(list(section), most_tokens, overlap_tokens):
            passages.append(PassageText(text=text, heading=heading, page=page, tokens=estimate_tokens(text)))
    return passages


def _pack(section: Sequence[Block], most: int, overlap: int) -> list[tuple[int | None, str]]:
    """(page, text) of each passage of one section. `page` is where the passage begins."""
    packed: list[tuple[int | None, str]] = []
    page, text = None, ""
    for block in section:
        for part in _parts(tidy(block.text), most - overlap):
            joined = f"{text}\n{part}" if text else part
            if text and estimate_tokens(joined) > most:
                packed.append((page, text))
                page, text = block.page, f"{_ending(text, overlap)}\n{part}".strip()
            else:
                page, text = page if text else block.page, joined
    if text:
        packed.append((page, text))
    return packed


def _parts(text: str, most: int) -> list[str]:
    """The text in pieces of at most `most` tokens: whole if it fits, else by sentences, words, characters."""
    if not text:
        return []
    if estimate_tokens(text) <= most:
        return [text]
    parts: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        parts += [sentence] if estimate_tokens(sentence) <= most else _by_words(sentence, most)
    return _joined(parts, most)


def _by_words(sentence: str, most: int) -> list[str]:
    pieces: list[str] = []
    for word in sentence.split():
        if estimate_tokens(word) <= most:
            pieces.append(word)
        else:  # no word of any language: a table without blanks, or Chinese
            pieces += [word[start : start + most] for start in range(0, len(word), most)]
    return _joined(pieces, most)


def _joined(pieces: Iterable[str], most: int) -> list[str]:
    """Neighbours together as long as they fit."""
    found: list[str] = []
    for piece in pieces:
        if found and estimate_tokens(f"{found[-1]} {piece}") <= most:
            found[-1] = f"{found[-1]} {piece}"
        elif piece:
            found.append(piece)
    return found


def _ending(text: str, most: int) -> str:
    """The last sentences that fit into `most` tokens, or else the last words."""
    for pieces in (_SENTENCE_END.split(text), text.split()):
        kept: list[str] = []
        for piece in reversed(pieces):
            if estimate_tokens(" ".join([piece, *kept])) > most:
                break
            kept.insert(0, piece)
        if kept:
            return " ".join(kept)
    return ""
