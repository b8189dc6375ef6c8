"""How the local workspace says no.

WorkspaceError
├── ApiError          an answer {"ok": false, "error": …} of the Web API
├── PersonError       what a person tried is not possible in Slack's client
└── WorkspaceNotReadyError the server did not come up
"""

from __future__ import annotations

from typing import Any


class WorkspaceError(Exception):
    """The local workspace could not do this."""


class ApiError(WorkspaceError):
    """An answer of the Web API that is not ok; `fields` join the answer's JSON."""

    def __init__(self, error: str, *, messages: list[str] | None = None, **fields: Any) -> None:
        super().__init__(error if not messages else f"{error}: {'; '.join(messages)}")
        self.error = error
        self.fields: dict[str, Any] = dict(fields)
        if messages:
            self.fields["response_metadata"] = {"messages": [f"[ERROR] {m}" for m in messages]}


class PersonError(WorkspaceError):
    """Slack's client would not let this person do that; the reason is in the message."""


class WorkspaceNotReadyError(WorkspaceError):
    """The local workspace did not start listening in time; is its port in use by another program?"""
