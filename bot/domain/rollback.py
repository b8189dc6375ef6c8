"""Where a rollback goes. Pure: the ledger of champion moves in, the move to go back to out.

The ledger is append-only, so going back adds a row. Read from the oldest on, it is a stack: a promotion is put on
top, a rollback takes off what it left. So a second rollback goes one further down and never returns to what was
left, promoting and rolling back changes nothing, and at the first champion it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A row of the ledger, as far as going back is concerned."""

    promotion_id: str
    #: The move that this one replaced; None for the first.
    replaced_id: str | None
    #: Equal for moves to one and the same rung, base model and adapter.
    candidate: str
    is_rollback: bool = False
    #: False for a move to an adapter that was withdrawn since: it must not serve.
    may_serve: bool = True


def find_rollback_target(current_id: str, moves: Mapping[str, Move]) -> Move | None:
    """The latest move below the current one that may serve; None when there is none."""
    below = _stack(current_id, moves)[:-1]
    return next((move for move in reversed(below) if move.may_serve), None)


def _stack(current_id: str, moves: Mapping[str, Move]) -> list[Move]:
    """What is in force on top, what it would go back to below."""
    stack: list[Move] = []
    for move in reversed(_back_in_time(current_id, moves)):
        if not move.is_rollback:
            stack.append(move)
            continue
        stack.pop()
        # It passed over what had been withdrawn by then.
        while len(stack) > 1 and stack[-1].candidate != move.candidate:
            stack.pop()
    return stack


def _back_in_time(current_id: str, moves: Mapping[str, Move]) -> list[Move]:
    """Every move that was ever in force, newest first: each row replaced exactly one."""
    chain: list[Move] = []
    next_id: str | None = current_id
    while next_id is not None and next_id in moves:
        chain.append(moves[next_id])
        next_id = moves[next_id].replaced_id
    return chain
