"""Acknowledgements go first, and never for good."""

from __future__ import annotations

import threading
import time

import pytest

from bot.ingress import RightOfWay
from tests.support.wait import wait_until


@pytest.mark.alone
def test_work_goes_on_at_once_when_nothing_is_being_acknowledged() -> None:
    right_of_way = RightOfWay()
    with right_of_way:
        pass
    began = time.monotonic()
    for _ in range(100):
        right_of_way.give()
    assert time.monotonic() - began < RightOfWay.SECONDS


def test_work_waits_for_an_acknowledgement_under_way_and_goes_on_when_it_is_done() -> None:
    right_of_way, went_on = RightOfWay(), threading.Event()
    right_of_way.SECONDS = 30.0  # so that only the end of the acknowledgement lets it go on

    def work() -> None:
        right_of_way.give()
        went_on.set()

    worker = threading.Thread(target=work, daemon=True)
    with right_of_way:
        with right_of_way:
            worker.start()
        assert not went_on.wait(0.05)  # one of two is still under way
    wait_until(went_on.is_set, seconds=5)


@pytest.mark.alone
def test_a_stream_of_deliveries_holds_work_up_for_a_moment_only() -> None:
    right_of_way = RightOfWay()
    with right_of_way:
        began = time.monotonic()
        right_of_way.give()
        assert RightOfWay.SECONDS * 0.9 <= time.monotonic() - began < 5
