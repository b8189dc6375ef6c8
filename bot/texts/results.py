"""What a trainer wrote down about a run, said in the language spoken now: the verdict, the failure, the picture.

Rows of earlier versions have the English sentence alone; it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.language import say_note
from config.sentences import Note, read_note


def verdict_said(verdict: Mapping[str, Any] | None) -> str:
    """Why the champion was replaced, or kept; empty when nothing was judged."""
    return _said(verdict, "why") or str((verdict or {}).get("sentence") or "")


def failure_said(error: str | None, verdict: Mapping[str, Any] | None) -> str:
    """Why a run failed, and what to do."""
    failure = (verdict or {}).get("failure") or {}
    otherwise = str(failure.get("otherwise") or "")
    note = read_note(failure.get("note")) or Note(error or "", {}).escaped()
    return say_note(note, otherwise) if note.sentence else ""


def curve_said(alt_text: str | None, verdict: Mapping[str, Any] | None) -> str:
    """What the loss curve shows."""
    return _said(verdict, "curve") or alt_text or ""


def _said(verdict: Mapping[str, Any] | None, part: str) -> str:
    note = read_note((verdict or {}).get(part))
    return say_note(note) if note else ""
