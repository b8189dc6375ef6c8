"""What changed between two texts, word by word.

Whatever the texts: the pieces that stayed or went, in order, are the text before, and those that stayed or came are
the text after. Pure. The work grows with the product of the lengths divided by the machine's word, so that also two
texts of 12,000 characters without one word in common take milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rapidfuzz.distance import LCSseq

#: Scripts without blanks between words: each character is a word by itself.
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
#: A word, a run of white space, or one other character.
_TOKEN = re.compile(rf"[{_IDEOGRAPHS}]|[^\W{_IDEOGRAPHS}]+|\s+|.", re.DOTALL)
#: What stayed between two changes is shown as changed when it is shorter than both and than this: a rewritten
#: sentence reads better as one change than as confetti around each "the".
_CONFETTI_CHARS = 40
#: Of a long passage that stayed, so much is shown at either end.
_EDGE_CHARS = 80
_GAP = " … "


class Change(StrEnum):
    SAME = "same"  #: In both texts.
    REMOVED = "removed"  #: Only in the text before.
    ADDED = "added"  #: Only in the text after.


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A passage and what became of it."""

    change: Change
    text: str


@dataclass(slots=True)
class _Hunk:
    """A passage that stayed, and what follows it: what went and what came in its place."""

    same: str
    removed: str = ""
    added: str = ""

    @property
    def changed_chars(self) -> int:
        return max(len(self.removed), len(self.added))


def diff_words(before: str, after: str) -> list[Piece]:
    """The pieces in reading order; of a replacement, what went comes first. Empty for two empty texts."""
    hunks: list[_Hunk] = []
    for hunk in _raw_hunks(before, after):
        hunks.append(hunk)
        while len(hunks) > 1 and _is_confetti(hunks[-2], hunks[-1]):
            last = hunks.pop()
            hunks[-1].removed += last.same + last.removed
            hunks[-1].added += last.same + last.added
    pieces = []
    for hunk in hunks:
        for change, text in ((Change.SAME, hunk.same), (Change.REMOVED, hunk.removed), (Change.ADDED, hunk.added)):
            if text:
                pieces.append(Piece(change=change, text=text))
    return pieces


def _raw_hunks(before: str, after: str) -> list[_Hunk]:
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    ids: dict[str, int] = {}
    numbers = [[ids.setdefault(token, len(ids)) for token in tokens] for tokens in (old, new)]
    hunks = [_Hunk("")]
    for operation in LCSseq.opcodes(*numbers):
        gone = "".join(old[operation.src_start : operation.src_end])
        come = "".join(new[operation.dest_start : operation.dest_end])
        if operation.tag == "equal":
            hunks.append(_Hunk(gone))
        else:
            hunks[-1].removed += gone
            hunks[-1].added += come
    return hunks


def _is_confetti(earlier: _Hunk, later: _Hunk) -> bool:
    """Does so little stay between two changes that they read as one?"""
    return len(later.same) <= min(_CONFETTI_CHARS, earlier.changed_chars, later.changed_chars)


def abridge(pieces: Sequence[Piece], most: int) -> tuple[list[Piece], bool]:
    """The same within `most` characters, and whether something had to be left out.

    Long passages that stayed lose their middle first; if that is not enough, the end is cut off, with an ellipsis.
    """
    if sum(len(piece.text) for piece in pieces) <= most:
        return list(pieces), False
    kept = []
    room = most
    for piece in (_without_middle(piece) for piece in pieces):
        if len(piece.text) > room:
            if room > len(_GAP):
                kept.append(replace(piece, text=piece.text[: room - len(_GAP)] + _GAP))
            break
        kept.append(piece)
        room -= len(piece.text)
    return kept, True


def _without_middle(piece: Piece) -> Piece:
    if piece.change is not Change.SAME or len(piece.text) <= 2 * _EDGE_CHARS + len(_GAP):
        return piece
    return replace(piece, text=f"{piece.text[:_EDGE_CHARS].rstrip()}{_GAP}{piece.text[-_EDGE_CHARS:].lstrip()}")


def count_words(pieces: Sequence[Piece], change: Change) -> int:
    """Words in the pieces of one kind."""
    return sum(len(piece.text.split()) for piece in pieces if piece.change is change)
