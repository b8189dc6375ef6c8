"""Features of a text's form, one word each: the same in a scorecard and in what people read."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    OPENING = "opening"  #: The first letter: `capital`, `small`, `neither` where there is none.
    ENDING = "ending"  #: The end: `sentence` with a full stop or the like, `open` without.
    LAYOUT = "layout"  #: `line`, `lines`, or `list`: two items or more.
