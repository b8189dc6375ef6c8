"""A judge model's answer, and the vote of the team that it is held against. Pure."""

from __future__ import annotations

import re

#: One digit, of a number or a date no part.
_GRADE = re.compile(r"(?<![\d.,])[1-5](?![\d.,]*\d)")


def read_grade(answer: str) -> int | None:
    """1 to 5; None where the answer is no grade, or more than one."""
    found = {int(one) for one in _GRADE.findall(answer.replace("/5", ""))}
    return found.pop() if len(found) == 1 else None
