"""What a reader sees of a style at once: how long a draft is, whether it has the form of the house, and whether it
keeps to the style's terms. Pure.

The form of the house is what at least HOUSE_SHARE of the training side's completions have in common; where they differ
there is no form to keep. Nothing is decided by these figures.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.resampling import number_groups
from config.style_forms import Form
from config.style_terms import StyleTerms, find_terms
from trainer.metrics import Scorecard, paired_bootstrap

HOUSE_SHARE = 0.9
#: Fewer completions than this have no form in common yet.
LEAST_COMPLETIONS = 10
_ITEM = re.compile(r"\s*([-*•–]|\d{1,2}[.)])\s")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*$")


def form_of(text: str) -> dict[Form, str]:
    """What each feature of form is in this text; a text without letters opens neither way."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    first = next((character for character in text if character.isalpha()), "")
    items = sum(bool(_ITEM.match(line)) for line in lines)
    opening = "small" if first.islower() else "capital" if first.isupper() else "neither"
    layout = "list" if items >= 2 else "lines" if len(lines) > 1 else "line"
    return {
        Form.OPENING: opening,
        Form.ENDING: "sentence" if _SENTENCE_END.search(text.strip()) else "open",
        Form.LAYOUT: layout,
    }


def house_form(completions: Sequence[str]) -> dict[Form, str]:
    """The features that nearly all of them share, with what they are; none of too few."""
    if len(completions) < LEAST_COMPLETIONS:
        return {}
    forms = [form_of(one) for one in completions]
    found = {}
    for feature in Form:
        value, times = Counter(form[feature] for form in forms).most_common(1)[0]
        if times >= HOUSE_SHARE * len(forms):
            found[feature] = value
    return found


def has_form(draft: str, house: Mapping[Form, str]) -> bool | None:
    """Does a draft have all of the form of the house; None where there is none to keep."""
    form = form_of(draft)
    return all(form[feature] == value for feature, value in house.items()) if house else None


def keeps_terms(draft: str, approved: str, terms: StyleTerms) -> bool | None:
    """Does a draft keep to the terms; None where they ask nothing of it.

    No forbidden term may be in it, whatever the approved text has. A required term has to be in it where the approved
    text has it: that text says that this is spoken of here, and a draft of something else need not.
    """
    due = find_terms(approved, terms.required)
    if not due and not terms.forbidden:
        return None
    return find_terms(draft, due) == due and not find_terms(draft, terms.forbidden)


def look_at_drafts(
    card: Scorecard, approved: Mapping[str, str], house: Mapping[Form, str], terms: StyleTerms
) -> Scorecard:
    """The same with what each of its drafts keeps, so that two candidates are compared draft by draft. `approved`: the
    texts by example id. Labels have no form."""
    if card.has_labels:
        return card
    pairs = [
        pair
        if pair.draft is None
        else replace(
            pair,
            in_form=has_form(pair.draft, house),
            keeps_terms=keeps_terms(pair.draft, approved[pair.example_id], terms),
        )
        for pair in card.pairs
    ]
    return replace(card, pairs=tuple(pairs))


def style_features(
    drafts: Sequence[tuple[str, str]], house: Mapping[Form, str], terms: StyleTerms,
    kin_groups: Sequence[int | None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Of (draft, approved text) pairs, as JSON: the drafts' length in words as a multiple of the approved texts'
    (geometric mean, with the 95 % bootstrap interval over pairs, or over the groups that these belong to), the share of
    drafts in the form of the house, and how many keep to the terms (`kept` of the `n` that these ask something of).
    Empty of no drafts."""
    if not drafts:
        return {}
    ratio = paired_bootstrap(
        [math.log(max(len(draft.split()), 1)) for draft, _ in drafts],
        [math.log(max(len(approved.split()), 1)) for _, approved in drafts],
        groups=number_groups(kin_groups or [None] * len(drafts)),
    )
    forms = [form_of(draft) for draft, _ in drafts]
    kept = {feature: sum(form[feature] == value for form in forms) / len(forms) for feature, value in house.items()}
    whole = sum(bool(has_form(draft, house)) for draft, _ in drafts) / len(drafts)
    asked = [keeps_terms(draft, approved, terms) for draft, approved in drafts]
    judged = [is_kept for is_kept in asked if is_kept is not None]
    return {
        "n": len(drafts),
        "length": [math.exp(ratio.mean), math.exp(ratio.low), math.exp(ratio.high)],
        "house": {feature.value: value for feature, value in house.items()},
        "kept": {feature.value: share for feature, share in kept.items()},
        "in_form": whole if house else None,
        "terms": {"n": len(judged), "kept": sum(judged)} if terms.required or terms.forbidden else None,
    }
