"""On SQLite the writers of a process take turns, and who keeps Slack waiting is the next."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from db.session import Database
from tests.support.wait import wait_until


@pytest.mark.parametrize("hurried", [0, 2, 4])
def test_who_goes_first_writes_before_all_who_waited_longer(tmp_path: Path, hurried: int) -> None:
    database, order, waiting = Database(f"sqlite:///{tmp_path / 'turns.db'}"), list[int](), list[int]()

    def write(number: int) -> None:
        waiting.append(number)
        with database.write(goes_first=number == hurried):
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(5)]
    with database.write():
        for thread in threads:
            thread.start()
        wait_until(lambda: len(waiting) == 5, seconds=5)
        threading.Event().wait(0.1)  # from there into the queue
    for thread in threads:
        thread.join(5)
    database.dispose()
    assert order[0] == hurried
    assert sorted(order) == [0, 1, 2, 3, 4]
