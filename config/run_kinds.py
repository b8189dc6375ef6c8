"""What a run does, and what made it due: one word each, the same in the database, the policy and the trainer."""

from __future__ import annotations

from enum import StrEnum


class RunKind(StrEnum):
    TRAIN = "train"  #: Trains what the recipe names, and measures every rung.
    MEASURE = "measure"  #: Trains nothing: what serves and the rungs without training, on the unseen pairs of now.


class RunCause(StrEnum):
    NEW_EXAMPLES = "new_examples"  #: The style's policy was met.
    BY_HAND = "by_hand"  #: An admin asked for it.
    WITHDRAWAL = "withdrawal"  #: Something was withdrawn that an adapter had learnt from.
    CHANGED_INSTRUCTIONS = "changed_instructions"  #: The style's instructions are not those that were measured.
    CHANGED_BASE = "changed_base"  #: The base model is to become, or has become, another one.
    DRIFT = "drift"  #: What people accept is not what it was.
