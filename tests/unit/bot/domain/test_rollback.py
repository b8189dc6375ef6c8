"""Promote and roll back, in any order: the ledger grows, the stack behind it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.rollback import Move, find_rollback_target


@dataclass
class Ledger:
    """Rows as the database keeps them."""

    moves: dict[str, Move] = field(default_factory=dict)
    current: str = ""

    def promote(self, candidate: str) -> None:
        self._add(candidate, is_rollback=False)

    def roll_back(self) -> bool:
        target = find_rollback_target(self.current, self.moves)
        if target is None:
            return False
        self._add(target.candidate, is_rollback=True)
        return True

    def withdraw(self, candidate: str) -> None:
        self.moves = {
            key: replace(move, may_serve=move.may_serve and move.candidate != candidate)
            for key, move in self.moves.items()
        }

    @property
    def serving(self) -> str:
        return self.moves[self.current].candidate

    def _add(self, candidate: str, *, is_rollback: bool) -> None:
        move_id = f"pro_{len(self.moves)}"
        self.moves[move_id] = Move(
            promotion_id=move_id, replaced_id=self.current or None, candidate=candidate, is_rollback=is_rollback
        )
        self.current = move_id


def ledger(*candidates: str) -> Ledger:
    made = Ledger()
    for candidate in candidates:
        made.promote(candidate)
    return made


def test_a_rollback_brings_back_what_was_replaced_and_a_second_one_changes_nothing_more() -> None:
    made = ledger("retrieved", "bad-v1")
    assert made.roll_back()
    assert made.serving == "retrieved"
    assert not made.roll_back()
    assert made.serving == "retrieved"


def test_a_second_rollback_goes_one_further_and_never_back_to_what_was_left() -> None:
    made = ledger("retrieved", "lora-v1", "lora-v2")
    served = []
    while made.roll_back():
        served.append(made.serving)
    assert served == ["lora-v1", "retrieved"]


def test_a_withdrawn_adapter_is_passed_over() -> None:
    made = ledger("retrieved", "lora-v1", "lora-v2")
    made.withdraw("lora-v1")
    assert made.roll_back()
    assert made.serving == "retrieved"
    assert not made.roll_back()


def test_a_thousand_moves_are_not_too_many() -> None:
    made = ledger("retrieved")
    for number in range(1000):
        made.promote(f"lora-v{number}")
        assert made.roll_back()
    assert made.serving == "retrieved"


@given(st.lists(st.sampled_from(["promote", "roll back"]), max_size=30), st.integers(1, 5))
def test_promoting_and_rolling_back_leaves_the_champion_as_it_was(before: list[str], times: int) -> None:
    made = ledger("retrieved")
    for number, verb in enumerate(before):
        made.promote(f"lora-v{number}") if verb == "promote" else made.roll_back()
    champion = made.serving
    for number in range(times):
        made.promote(f"new-v{number}")
    for _ in range(times):
        assert made.roll_back()
    assert made.serving == champion
