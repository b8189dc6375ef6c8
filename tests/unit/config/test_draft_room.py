"""How long a draft may be, as it is measured and as it is served."""

from __future__ import annotations

import pytest

from config.draft_room import draw_room, served_room


@pytest.mark.parametrize(
    ("lengths", "room"),
    [
        ([], 40),
        ([10] * 20, 40),
        ([100] * 20, 150),
        ([100] * 39 + [5000], 150),
        ([101] * 20, 152),
        ([1000] * 20, 768),
    ],
)
def test_a_draft_has_room_for_half_as_much_again_as_nearly_all_texts_within_bounds(
    lengths: list[int], room: int
) -> None:
    assert draw_room(lengths, least=40, most=768) == room


def test_what_every_draft_may_have_is_never_less_for_the_bound() -> None:
    assert draw_room([1000] * 20, least=900, most=768) == 900


@pytest.mark.parametrize(("measured", "room"), [(None, 256), (40, 256), (700, 700)])
def test_what_was_measured_is_served_and_never_less_than_any_draft_may_have(measured: int | None, room: int) -> None:
    assert served_room(measured, least=256) == room
