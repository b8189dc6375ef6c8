"""The labels of a style that classifies: which there are, how sure an answer is, and when to ask instead.

Bot and trainer both come here, so an answer in Slack is sure when the same answer was sure in the measurement. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from config.likeness import normalise

#: The most frequent labels that an answer is chosen from; a request to the model server carries no more.
MAX_LABELS = 256
#: How many labels a person is offered as buttons.
OFFERED = 3
#: Until a run has measured a style, an answer has to be at least this probable. Afterwards the measurement decides.
UNMEASURED_THRESHOLD = 0.5
#: What an answer costs at most, in nats. A label that training never saw costs what its being a new one was worth.
MOST_NATS = math.log(10_000)
#: A threshold above every probability: nothing was right often enough, so a person is always asked.
NEVER_SURE = 1.01


def collect_labels(completions: Iterable[str], *, limit: int | None = MAX_LABELS) -> tuple[str, ...]:
    """The labels that these answers are, in alphabetical order, each in its most frequent spelling."""
    spellings: dict[str, Counter[str]] = {}
    for completion in completions:
        if label := " ".join(completion.split()):
            spellings.setdefault(normalise(label), Counter())[label] += 1
    frequent = sorted(spellings, key=lambda name: (-spellings[name].total(), name))[:limit]
    return tuple(min(spellings[name], key=lambda one: (-spellings[name][one], one)) for name in sorted(frequent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a candidate's scores become probabilities, and how probable an answer has to be; fitted on validation."""

    #: Scores are divided by it (Guo et al. 2017).
    temperature: float = 1.0
    #: Subtracted from a label's score before that: what the candidate gives it whatever was asked (Zhou et al. 2023,
    #: batch calibration). Empty: nothing.
    prior: Mapping[str, float] = field(default_factory=dict)
    #: The share of the probability that all labels have alike, whatever the scores (Zhang et al. 2020, ensemble
    #: temperature scaling): how often the scores are no help at all. Without it the temperature has to answer for
    #: that, too, and no answer is as sure as it is right.
    even_share: float = 0.0
    #: The share of texts whose label is known at all: the rest of the probability is that of a label yet to come.
    known_share: float = 1.0
    #: Below it a person is asked.
    threshold: float = UNMEASURED_THRESHOLD
    #: Of the answers at or above the threshold, this share was to be right.
    target_precision: float | None = None
    #: It was fitted on so many: the validation side, for `neighbours` some of the training side, too; 0: not measured.
    pairs: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature, "prior": dict(self.prior), "even_share": self.even_share,
            "known_share": self.known_share, "threshold": self.threshold, "target_precision": self.target_precision,
            "pairs": self.pairs,
        }  # fmt: skip


def read_calibration(values: Mapping[str, Any] | None) -> Calibration:
    """What `Calibration.as_json` wrote; where nothing was, the one that is used before any measurement."""
    known = {one.name for one in fields(Calibration)}
    return Calibration(**{name: value for name, value in (values or {}).items() if name in known})


#: Differences in similarity are divided by it before they become weights: the nearest neighbours count most. An example
#: that is just like the text (similarity 1) has one vote.
VOTE_TEMPERATURE = 0.2
#: So many votes all labels together have without any neighbour. So of a few labels none is sure by neighbours that are
#: far away; of many each has little of it, and how sure a vote is takes a run to say.
VOTE_FLOOR = 2.5
#: Makes of votes what a run finds to be about right: until one has measured the style, its temperature is 1.
VOTE_SHARPNESS = 3.0


def vote(labels: Sequence[str], neighbours: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Scores in nats from (label, similarity) of the nearest examples: their votes, weighted by similarity."""
    names = {normalise(label): label for label in labels}
    votes = dict.fromkeys(labels, VOTE_FLOOR / max(len(labels), 1))
    for label, similarity in neighbours:
        if (name := names.get(normalise(label))) is not None:
            votes[name] += math.exp((similarity - 1) / VOTE_TEMPERATURE)
    return {label: VOTE_SHARPNESS * math.log(share) for label, share in votes.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChoice:
    """What a candidate makes of one text."""

    #: Every label with its probability, the likeliest first.
    ranked: tuple[tuple[str, float], ...]
    is_sure: bool

    @property
    def label(self) -> str:
        return self.ranked[0][0]

    @property
    def confidence(self) -> float:
        """The probability of the likeliest label."""
        return self.ranked[0][1]

    def as_json(self) -> dict[str, Any]:
        """What stands with a draft: the few labels that a person is offered."""
        offered = [[label, round(probability, 4)] for label, probability in self.ranked[:OFFERED]]
        return {"offered": offered, "is_sure": self.is_sure}


def choose_label(scores: Mapping[str, float], calibration: Calibration) -> LabelChoice:
    """The label with the highest probability, and whether that is probable enough. Scores are in nats.

    Raises ValueError without any finite score.
    """
    probabilities = label_probabilities(list(scores), list(scores.values()), calibration)
    ranked = sorted(zip(scores, probabilities, strict=True), key=lambda one: (-one[1], one[0]))
    return LabelChoice(ranked=tuple(ranked), is_sure=ranked[0][1] >= calibration.threshold)


def label_cost(scores: Mapping[str, float], calibration: Calibration, truth: str) -> float:
    """What the right label costs under these scores, in nats: the log score, as in a scorecard.

    Raises ValueError without any finite score.
    """
    probabilities = label_probabilities(list(scores), list(scores.values()), calibration)
    right = [p for label, p in zip(scores, probabilities, strict=True) if normalise(label) == normalise(truth)]
    chance = right[0] if right else 1 - calibration.known_share
    return min(-math.log(chance), MOST_NATS) if chance > 0 else MOST_NATS


def label_probabilities(labels: Sequence[str], scores: Sequence[float], calibration: Calibration) -> list[float]:
    """The softmax of the corrected scores over the labels, with what all have alike; they add up to the known share."""
    prior = calibration.prior
    usual = sum(prior.values()) / len(prior) if prior else 0.0  # for a label that is newer than the measurement
    corrected = [
        (score - prior.get(label, usual)) / calibration.temperature for label, score in zip(labels, scores, strict=True)
    ]
    highest = max((score for score in corrected if math.isfinite(score)), default=None)
    if highest is None:
        raise ValueError("no label has a score")
    weights = [math.exp(score - highest) if math.isfinite(score) else 0.0 for score in corrected]
    total, even = sum(weights), calibration.even_share
    return [calibration.known_share * ((1 - even) * weight / total + even / len(labels)) for weight in weights]
