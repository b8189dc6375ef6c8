"""The lists of terms that somebody typed into a style's form: read, or what is wrong with them in words. Pure."""

from __future__ import annotations

from bot.texts import styles as texts
from config.style_terms import StyleTerms, find_terms, fold_term

MAX_TERMS = 30
MAX_TERM_CHARS = 80


def read_terms(required: str, forbidden: str, *, has_labels: bool) -> tuple[StyleTerms, dict[str, str]]:
    """One term a line, in either field; blank lines are none. The second value says what is wrong, by block_id."""
    terms = StyleTerms(required=_lines(required), forbidden=_lines(forbidden))
    fields = {"required_terms": terms.required, "forbidden_terms": terms.forbidden}
    if has_labels:
        return terms, {block_id: texts.TERMS_OF_LABELS() for block_id, found in fields.items() if found}
    errors = {block_id: sentence for block_id, found in fields.items() if (sentence := _find_fault(found))}
    if "forbidden_terms" not in errors:
        for term in terms.required:
            if found := find_terms(term, terms.forbidden):
                is_same = fold_term(term) == fold_term(found[0])
                errors["forbidden_terms"] = texts.term_in_both(term) if is_same else texts.term_within(found[0], term)
                break
    return terms, errors


def _lines(text: str) -> tuple[str, ...]:
    """Without outer white space, and with none but single blanks within, so that a term is one line for ever."""
    return tuple(" ".join(line.split()) for line in text.splitlines() if fold_term(line))


def _find_fault(terms: tuple[str, ...]) -> str:
    if len(terms) > MAX_TERMS:
        return texts.too_many_terms(len(terms), MAX_TERMS)
    seen = set()
    for term in terms:
        if len(term) > MAX_TERM_CHARS:
            return texts.term_too_long(term, len(term), MAX_TERM_CHARS)
        if fold_term(term) in seen:
            return texts.term_twice(term)
        seen.add(fold_term(term))
    return ""
