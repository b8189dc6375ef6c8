"""The table of contents of failure: every way in which the bot can disappoint a person, and what it says then.

HuisstijlError
├── Refused                      the person may not do this
│   ├── AdminsOnly
│   ├── ReviewersOnly
│   ├── OwnExample
│   ├── MembersOnly
│   ├── RoleUnknown
│   └── OutOfScope
├── BadInput                     the words or numbers cannot be used
│   ├── EmptyRequest  RequestTooLong  UnknownStyle  NoStyleYet  AmbiguousStyle  UnknownCommand
│   ├── NameTaken  UnusablePair  UnknownCandidate  DocumentRefused  NoFreeText
│   └── TransferRefused          a file that the operator reads in or writes
│       └── ImportRefused  StyleUnknown
├── NotYet                       right, but too early or too late
│   ├── TooFewExamples  RunAlreadyActive  TermsNotAccepted  NothingToRollBackTo  NotMeasuredYet  AlreadyDecided
│   ├── OverBudget  TrialRunning  TrialNotRunning  NoChallenger  LostTrial  TrialQuoteGone  FailedProbe
│   └── MessageGone  QuoteGone  ForgetQuoteGone  RunHasEnded  AdapterWithdrawn  OnOtherBase  AlreadyChampion
├── ModelError                   the model server did not deliver
│   ├── ModelDown  ModelSlow  ModelBusy  ModelLoading  AdapterUnavailable  PromptTooLong  ModelBroke
│   └── SuggestionUseless
├── SlackError                   Slack did not take what we sent
│   ├── NotInChannel  SlackUnavailable
│   └── SlackRefused
│       └── MessageMissing  FileMissing  StreamStopped  StreamLost          in bot.slack: what its callers act on
├── PictureMissing                                             in bot.outbox: read in its table and log
└── MissingTokens                                              in bot.app: ends the start of the bot

A class's docstring is its default sentence: what happened and what to do next. A more exact sentence may be
given when raising. `explain` turns any exception into what the person reads and how loudly it is logged.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from bot.language import say, say_docstring
from db.drafts import DraftNotFound
from db.examples import ExampleChanged, ExampleNotFound
from db.knowledge import DocumentNotFound
from db.promotions import ChampionMoved
from db.runs import RunNotFound
from db.session import DatabaseUnavailable
from db.styles import StyleNotFound
from db.trials import ComparisonNotFound


class HuisstijlError(Exception):
    """Something went wrong. Try again in a minute."""

    log_level: int = logging.INFO

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or say_docstring(type(self)))

    @property
    def sentence(self) -> str:
        return str(self.args[0])


class Refused(HuisstijlError):
    """You may not do this here. Ask a workspace admin."""


class AdminsOnly(Refused):
    """Only workspace admins may do this. Ask one of them, they can do it with the same command."""


class ReviewersOnly(Refused):
    """Only this style's reviewers and workspace admins may decide about examples. `/huisstijl styles` names them."""


class OwnExample(Refused):
    """You proposed this example, and this style asks for somebody else's eyes. Another reviewer can approve it."""


class MembersOnly(Refused):
    """Guests, people from other workspaces and deactivated accounts cannot change anything here. Ask a full member."""


class RoleUnknown(Refused):
    """Slack did not tell me your role just now, so I left everything as it was. Try again in a minute."""

    log_level = logging.WARNING


class OutOfScope(Refused):
    """What is said in a private place stays there: this style cannot learn from or be used in this conversation. Use
    one of this channel's own styles, or ask in another channel."""


class BadInput(HuisstijlError):
    """I could not use that. Check what you entered and try again."""


class EmptyRequest(BadInput):
    """Tell me what to write, for example: `/draft announce that the office closes at noon on Friday`."""


class RequestTooLong(BadInput):
    """That request is too long for me. Shorten it, or leave out what the draft does not need."""


class UnknownStyle(BadInput):
    """I know no style of that name here. `/huisstijl styles` lists the ones you can use."""


class NoStyleYet(BadInput):
    """There is no style here yet. A workspace admin can create one with `/huisstijl style new`."""


class AmbiguousStyle(BadInput):
    """Several styles can be used here. Start with the name of the one you want, as in `/draft brand-voice: …`."""


class UnknownCommand(BadInput):
    """I do not know that command. `/huisstijl help` lists what I can do."""


class NameTaken(BadInput):
    """A style of this name exists already, or existed once. Choose another name."""


class UnusablePair(BadInput):
    """These texts cannot be an example. Change them and send them again."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        #: A sentence for each field that cannot be used.
        self.errors = errors


class UnknownCandidate(BadInput):
    """This style has no measured candidate of that name. `/huisstijl ladder` lists them."""


class DocumentRefused(BadInput):
    """This document was not added, and nothing of it was kept. Check the file and add it again."""


class NoFreeText(BadInput):
    """This style answers with labels, and there is nothing to compare side by side. `/huisstijl ladder` shows how well
    each way of making them does."""


class TransferRefused(BadInput):
    """The file was not read in or written, and nothing was changed. Correct what the message names and try again."""


class ImportRefused(TransferRefused):
    """Nothing was imported, because some lines of the file cannot be used. Correct them and import it again."""

    def __init__(self, problems: tuple[str, ...] = (), summary: str = "") -> None:
        super().__init__(summary)
        #: A sentence for every bad line.
        self.problems = problems


class StyleUnknown(TransferRefused):
    """There is no style of this name in the workspace. Use one of those that `/huisstijl styles` lists."""


class NotYet(HuisstijlError):
    """That is not possible at the moment. Try again later."""


class TooFewExamples(NotYet):
    """There are too few approved examples to train on. Approve more, then try again."""


class RunAlreadyActive(NotYet):
    """A training run of this style is under way. `/huisstijl status` shows how far it is."""


class OverBudget(NotYet):
    """This run would cost more than this month's budget has left. An admin can raise the budget in my Home tab."""


class TermsNotAccepted(NotYet):
    """An admin has to accept the statement on training data first: `/huisstijl train` shows it."""


class NothingToRollBackTo(NotYet):
    """There is no earlier champion to go back to: this style still serves what it started with."""


class NotMeasuredYet(NotYet):
    """Nothing has been measured for this style yet. The first training run measures every rung."""


class AlreadyDecided(NotYet):
    """Somebody decided about this a moment ago, so your click changed nothing. The message shows what they chose."""


class MessageGone(NotYet):
    """The message this example came from was deleted, so the example was withdrawn. Nothing was learnt
    from it; teach another message instead."""


class QuoteGone(NotYet):
    """I no longer know this quote. Ask for a new one with `/huisstijl train`."""


class ForgetQuoteGone(NotYet):
    """I no longer know what this question was about. Ask for a new one with `/huisstijl forget`."""


class TrialRunning(NotYet):
    """A blind trial of this style is running already. `/huisstijl status` shows how far it is."""


class TrialNotRunning(NotYet):
    """No blind trial of this style is running. An admin can start one with `/huisstijl trial`."""


class NoChallenger(NotYet):
    """There is no measured candidate to compare the champion with. Train once more, then try again."""


class LostTrial(NotYet):
    """This candidate lost a blind trial against the champion. To promote it all the same, add the word `anyway`."""


class FailedProbe(NotYet):
    """This candidate fails a probe. `/huisstijl ladder` shows which; to promote it all the same, add the word
    `anyway`."""


class TrialQuoteGone(NotYet):
    """I no longer know what this trial was to be. Ask again with `/huisstijl trial`."""


class RunHasEnded(NotYet):
    """This run has ended already, so there was nothing to cancel."""


class AdapterWithdrawn(NotYet):
    """This adapter was withdrawn and must not serve any more. `/huisstijl ladder` shows what else there is."""


class OnOtherBase(NotYet):
    """This adapter was trained on another base model than the one that serves the style. An operator can ask for a
    change of the base model with `huisstijl base change`."""


class AlreadyChampion(NotYet):
    """This candidate serves the style already."""


class ModelError(HuisstijlError):
    """The model server did not answer as it should. Your request is kept; ask again in a minute."""

    log_level = logging.ERROR


class ModelDown(ModelError):
    """I could not write a draft, because the model server is not reachable. An operator can start it with
    `huisstijl serve`; then ask again."""


class ModelSlow(ModelError):
    """I could not write a draft in time: the model server took too long. Ask again in a minute, or shorten the
    request."""


class ModelBusy(ModelError):
    """The model server has too many requests at the moment. Ask again in a minute."""

    log_level = logging.WARNING


class ModelLoading(ModelError):
    """I could not write a draft, because the model server is still loading its model. Ask again in a minute."""

    log_level = logging.WARNING


class AdapterUnavailable(ModelError):
    """The model server refused this style's adapter. An admin can go back to the previous champion with
    `/huisstijl rollback`."""


class PromptTooLong(ModelError):
    """The request and its examples do not fit into the model. Shorten the request and ask again."""

    log_level = logging.INFO


class ModelBroke(ModelError):
    """The model server stopped in the middle of the draft. What you see is incomplete; ask again for a new one."""


class SuggestionUseless(ModelError):
    """I read the message, and found no request that it could answer. Type what was asked yourself."""

    log_level = logging.INFO


class SlackError(HuisstijlError):
    """Slack did not take the message. Try again in a minute."""

    log_level = logging.WARNING


class NotInChannel(SlackError):
    """I am not in that channel, so I cannot post there. Invite me with `/invite @Huisstijl` and try again."""

    log_level = logging.INFO


class SlackUnavailable(SlackError):
    """Slack is not reachable or asks us to slow down. It is tried again by itself."""

    def __init__(self, sentence: str = "", *, retry_after_seconds: float = 1.0, is_rate_limit: bool = False) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds
        #: Does Slack ask for this pause, for every call of this kind?
        self.is_rate_limit = is_rate_limit


class SlackRefused(SlackError):
    """Slack refused the call for good. Tell your operator: the bot's log says why."""

    log_level = logging.ERROR

    def __init__(self, sentence: str = "", *, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


#: Errors of the database layer, as ours: its sentences are already written for people.
_FROM_DB: tuple[type[Exception], ...] = (
    StyleNotFound, ExampleNotFound, ExampleChanged, DraftNotFound, RunNotFound, ChampionMoved,
    DocumentNotFound, ComparisonNotFound,
)  # fmt: skip

#: Faults that pass by themselves: the delivery is worked on again instead of being answered with an error.
TRANSIENT: tuple[type[Exception], ...] = (DatabaseUnavailable, SlackUnavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the person reads, and what the log hears."""

    sentence: str
    log_level: int
    #: Empty for expected errors; else a short id that the person can quote and the log contains.
    reference: str = ""


def explain(error: BaseException) -> Explanation:
    """Turn any exception into an answer. An unexpected one gets a reference id instead of its text."""
    if isinstance(error, HuisstijlError):
        return Explanation(sentence=" ".join(error.sentence.split()), log_level=error.log_level)
    if isinstance(error, _FROM_DB):
        return Explanation(sentence=say_docstring(type(error)) or str(error), log_level=logging.INFO)
    if isinstance(error, DatabaseUnavailable):
        return Explanation(sentence=say_docstring(DatabaseUnavailable), log_level=logging.ERROR)
    reference = secrets.token_hex(4)
    return Explanation(
        sentence=say(
            "Something went wrong on my side and nothing was changed. Try again; if it happens once more, give your "
            "operator this reference: {reference}.",
            reference=reference,
        ),
        log_level=logging.ERROR,
        reference=reference,
    )
