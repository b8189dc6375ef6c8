"""Updates of one message reach Slack in the order in which they were owed, whichever thread of a bot sends them.

An update says all of its message anew, so one that comes after a newer one would only bring back what is past.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

#: Messages whose last update is remembered; an older update is owed for seconds, not for thousands of messages.
REMEMBERED = 10_000
_LOCKS = 16


class UpdateOrder:
    """What each message was last updated by. Of this process: two bots beside each other may still cross."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._newest: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._memory = threading.Lock()

    @contextmanager
    def turn(self, channel_id: str, ts: str, outbox_id: str) -> Iterator[bool]:
        """Hold the message while its update is sent; False when a newer one was sent already. Ids rise with time."""
        target = (channel_id, ts)
        with self._locks[hash(target) % _LOCKS]:
            with self._memory:
                is_newest = outbox_id > self._newest.get(target, "")
            yield is_newest
            if is_newest:
                with self._memory:
                    self._newest[target] = outbox_id
                    self._newest.move_to_end(target)
                    if len(self._newest) > REMEMBERED:
                        self._newest.popitem(last=False)
