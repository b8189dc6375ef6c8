"""`python -m bot.documents.child NAME`: reads one document from standard input and writes its blocks as JSON.

A process of its own: what a hostile file costs in time and memory ends with it, and a parser's fault ends only it.
The limits are its own too: they hold when the bot that waits for it is gone.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from bot.documents.formats import Reason, Unreadable, read_document

#: Address space that reading one document may take, where the system knows such limits.
MAX_MEMORY_BYTES = 1_500_000_000
#: Processor time that it may take: a little more than it is waited for.
MAX_CPU_SECONDS = 30


def main() -> None:
    _limit()
    logging.disable()  # parsers tell of every oddity; what matters is said in the answer
    try:
        found = read_document(sys.argv[1], sys.stdin.buffer.read())
    except Unreadable as error:
        _answer({"unreadable": error.reason.value})
        return
    except MemoryError:
        _answer({"unreadable": Reason.TOO_SLOW.value})
        return
    except Exception as error:  # a parser met what it does not know
        _answer({"unreadable": Reason.DAMAGED.value, "error": type(error).__name__})
        return
    blocks = [[block.text, list(block.headings), block.page] for block in found.blocks]
    _answer({"blocks": blocks, "pages": found.pages})


def _answer(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values))


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, wanted in ((resource.RLIMIT_AS, MAX_MEMORY_BYTES), (resource.RLIMIT_CPU, MAX_CPU_SECONDS)):
        _, most = resource.getrlimit(kind)
        if most == resource.RLIM_INFINITY or most > wanted:
            resource.setrlimit(kind, (wanted, most))


if __name__ == "__main__":
    main()
