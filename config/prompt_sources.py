"""Where an example's request came from. Bot, database and training share the words."""

from __future__ import annotations

from enum import StrEnum


class PromptSource(StrEnum):
    TYPED = "typed"  #: A person wrote it; also where they replaced what was offered.
    SUGGESTED = "suggested"  #: The model suggested it and a person kept it.
    SUGGESTED_EDITED = "suggested_edited"  #: The model suggested it and a person corrected it.
    PARENT = "parent"  #: The message that this one answers, kept as it was.
    PARENT_EDITED = "parent_edited"  #: The message that this one answers, corrected.
    DRAFT = "draft"  #: The request that a draft of ours was made for.
    DRAFT_EDITED = "draft_edited"  #: That request, corrected.

    @property
    def edited(self) -> PromptSource:
        """The same source after a person corrected the request."""
        return _EDITED.get(self, self)


_EDITED = {
    PromptSource.SUGGESTED: PromptSource.SUGGESTED_EDITED,
    PromptSource.PARENT: PromptSource.PARENT_EDITED,
    PromptSource.DRAFT: PromptSource.DRAFT_EDITED,
}
