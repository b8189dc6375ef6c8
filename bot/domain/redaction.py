"""What an example should not carry: mail addresses, phone numbers, card and account numbers, keys and passwords.

Everything is looked for in a copy without invisible characters and with full-width letters made plain, and taken out
of the text itself. One value has one placeholder in a pair, and taking out twice changes nothing more. Numbers are
only taken for what they are when their check digits or numbering plan say so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
import stdnum.iban
import stdnum.luhn
import stdnum.nl.bsn

from config.likeness import ZERO_WIDTH


class Sensitive(StrEnum):
    SECRET = "secret"  #: A key, token or password.
    EMAIL = "email"  #: A mail address.
    IBAN = "IBAN"  #: A bank account number.
    CARD = "card number"  #: A payment card's number.
    CITIZEN = "BSN"  #: A Dutch citizen service number, where the text says that it is one.
    PHONE = "phone number"  #: A phone number of the countries in REGIONS, or an international one.


#: Whose national numbers are known without a country code.
REGIONS = ("NL", "BE", "DE", "GB", "US")

_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{30,}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{22,}",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}",
        r"\bxapp-\d-[A-Za-z0-9-]{10,}",
        r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
        r"https://discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}",
        r"\bsk-(?:proj-|ant-|live-|or-)?[A-Za-z0-9_-]{20,}",
        r"\b(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}\b",
        r"\bhf_[A-Za-z0-9]{30,}\b",
        r"\bAIza[0-9A-Za-z_-]{35}",
        r"\bya29\.[0-9A-Za-z_-]{20,}",
        r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
        r"\bnpm_[A-Za-z0-9]{36}\b",
        r"\bpypi-[A-Za-z0-9_-]{40,}",
        r"\bdop_v1_[a-f0-9]{64}\b",
        r"\bdapi[a-f0-9]{32}\b",
        r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b",
        r"\bkey-[0-9a-f]{32}\b",
        r"\b(?:AC|SK)[0-9a-f]{32}\b",
        r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
        r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:(?P<value>[^\s@/]{3,128})@",
        r"(?i:\b(?:AccountKey|SharedAccessKey)=)(?P<value>[A-Za-z0-9+/=]{20,})",
        r"(?i:\bBearer\s+)(?P<value>[A-Za-z0-9._~+/-]{16,}=*)",
        (
            r"(?i:\b(?:api|access|secret|private|client)[\s_-]?(?:key|token|secret)\b[\"']?\s*(?:is|=|:)\s*)"
            r"[\"'`]?(?P<value>[^\s\"'`,;]{8,128})"
        ),
        (
            r"(?i:\b(?:passwords?|passwd|pwd|passphrase|wachtwoord|wachtwoorden|pincode|toegangscode)\b[\"']?\s*"
            r"(?:is nu|is now|is|was|wordt|=|:)\s*)[\"'`]?(?P<value>(?=[^\s\"'`]*[\d!@#$%^&*?_+=-])[^\s\"'`,;]{4,128})"
        ),
    )
)
_KEY_BEGINS, _KEY_ENDS = "-----BEGIN [A-Z ]*PRIVATE KEY-----", "-----END [A-Z ]*PRIVATE KEY-----"
_SECRETS_OVER_LINES = re.compile(_SECRETS[0].pattern, re.DOTALL)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}")
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_BSN = re.compile(r"(?i:\b(?:bsn|burgerservicenummer|sofinummer)\b\D{0,12})(?P<value>\d(?:[ .]?\d){7,8})(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to take out: `text[start:end]` of the text it was found in."""

    kind: Sensitive
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A pair without what was found in it, and how many different values of each kind there were."""

    prompt: str
    completion: str
    counts: Mapping[Sensitive, int]


def find_sensitive(text: str) -> tuple[Finding, ...]:
    """In the order of the text, none overlapping another."""
    shadow, origin = _plain_copy(text)
    taken: list[Finding] = []
    for kind, find in _FINDERS:
        for start, end in find(shadow):
            if end > start and all(end <= other.start or start >= other.end for other in taken):
                taken.append(Finding(kind=kind, start=start, end=end))
    found = [Finding(kind=f.kind, start=origin[f.start], end=origin[f.end - 1] + 1) for f in taken]
    return tuple(sorted(found, key=lambda finding: finding.start))


def find_key_borders(text: str, *, is_in_key: bool) -> tuple[bool, bool]:
    """Does this part of a text begin inside of a private key, and does it end inside of one? `is_in_key`: the part
    before it did."""
    marks = re.findall(f"{_KEY_BEGINS}|{_KEY_ENDS}", text)
    if not marks:
        return is_in_key, is_in_key
    return is_in_key or marks[0].startswith("-----END"), marks[-1].startswith("-----BEGIN")


def redact_pair(prompt: str, completion: str) -> Redacted:
    """Both texts with a placeholder for each thing found: `[email]`; `[email 1]` and so on where there are more."""
    texts = (prompt, completion)
    found = [find_sensitive(text) for text in texts]
    values: dict[tuple[Sensitive, str], None] = {}
    for text, findings in zip(texts, found, strict=True):
        values |= dict.fromkeys((f.kind, _canonical(text, f)) for f in findings)
    counts = Counter(kind for kind, _ in values)
    names: dict[tuple[Sensitive, str], str] = {}
    met: Counter[Sensitive] = Counter()
    for kind, value in values:
        met[kind] += 1
        names[kind, value] = f"[{kind}]" if counts[kind] == 1 else f"[{kind} {met[kind]}]"
    cleaned = [_replace(text, findings, names) for text, findings in zip(texts, found, strict=True)]
    return Redacted(prompt=cleaned[0], completion=cleaned[1], counts=dict(counts))


def _replace(text: str, findings: Iterable[Finding], names: Mapping[tuple[Sensitive, str], str]) -> str:
    parts: list[str] = []
    at = 0
    for finding in findings:
        parts += [text[at : finding.start], names[finding.kind, _canonical(text, finding)]]
        at = finding.end
    return "".join([*parts, text[at:]])


def _canonical(text: str, finding: Finding) -> str:
    """One value however it is spaced or written."""
    plain = _plain_copy(text[finding.start : finding.end])[0]
    if finding.kind is Sensitive.SECRET:
        return plain
    return re.sub(r"[\s().-]", "", plain).casefold() if finding.kind is not Sensitive.EMAIL else plain.casefold()


def _plain_copy(text: str) -> tuple[str, list[int]]:
    """The copy that is searched, and for each of its characters the place in the text that it stands for."""
    if text.isascii():
        return text, list(range(len(text)))
    shadow: list[str] = []
    origin: list[int] = []
    for index, c in enumerate(text):
        if c.isascii():
            shadow.append(c)
            origin.append(index)
        elif not ZERO_WIDTH.match(c):
            for plain in unicodedata.normalize("NFKC", c):
                shadow.append(plain)
                origin.append(index)
    return "".join(shadow), origin


# Finders: spans in the plain copy


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_SECRETS_OVER_LINES, *_SECRETS[1:]):
        for found in pattern.finditer(text):
            start, end = found.span("value") if "value" in pattern.groupindex else found.span()
            yield start, start + len(text[start:end].rstrip(".,;:!?)"))


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for found in _IBAN.finditer(text):
        candidate = found[0]
        while len(candidate) >= 15:  # Norway's is the shortest; what follows the number may look like a part of it
            if stdnum.iban.is_valid(candidate):
                yield found.start(), found.start() + len(candidate)
                break
            candidate = candidate[:-1].rstrip()


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for found in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if digits[0] in "23456" and len(set(digits)) > 1 and stdnum.luhn.is_valid(digits):
            yield found.span()


def _citizens(text: str) -> Iterator[tuple[int, int]]:
    for found in _BSN.finditer(text):
        if stdnum.nl.bsn.is_valid(found["value"]):
            yield found.span("value")


def _phones(text: str) -> Iterator[tuple[int, int]]:
    if sum(c.isdigit() for c in text) < 7:
        return
    for region in REGIONS:
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
            # A bare row of digits is an order number as often as not; a phone number has a zero, a plus or a shape.
            if match.raw_string[0] in "+0(" or not match.raw_string.isdigit():
                yield match.start, match.end


_FINDERS: tuple[tuple[Sensitive, Callable[[str], Iterator[tuple[int, int]]]], ...] = (
    (Sensitive.SECRET, _secrets),
    (Sensitive.EMAIL, _emails),
    (Sensitive.IBAN, _ibans),
    (Sensitive.CARD, _cards),
    (Sensitive.CITIZEN, _citizens),
    (Sensitive.PHONE, _phones),
)
