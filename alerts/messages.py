"""A message is a template id and named values; text is made of them only for channels that want text.

What lies in the outbox (``params``) are facts: codes, names of staff and windows, moments as RFC 3339 with the
centre's offset. The link is added when it is sent, so that no token lies in the database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts.catalogue import LATE, LEVELS, PHRASES, TEXTS, rule_words
from alerts.digest_words import digest_values
from alerts.system_words import system_values

#: Part lengths of a short message: (alone, joined). UCS-2 counts UTF-16 units; 3GPP TS 23.038 and 23.040.
UCS2_PARTS, GSM7_PARTS = (70, 67), (160, 153)
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_TWO = frozenset("^{}\\[~]|€")
_SPACES = re.compile(r"[\s\u00a0\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\x00-\x1f\x7f]+")
#: A name in the centre file may be long; a message may not.
LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as a hook gets it: the same at every try.

    Args:
        idempotency_key: the gateway sees the same one at every try.
        to: phone number.
        template: template id, e.g. ``finding.red``.
        values: named values for the template, all text, in the language of the message.
        text: template and values as one text.
        created_at: the system's clock, RFC 3339.
        facts: codes for machines (finding, rule, severity, window, case); never a citizen's name.
    """

    idempotency_key: str
    to: str
    template: str
    values: Mapping[str, str]
    text: str
    created_at: str
    language: str = "zh-CN"
    facts: Mapping[str, str] = field(default_factory=dict)


def clean(value: str, longest: int = LONGEST_VALUE) -> str:
    """One line, ordinary spaces only, at most ``longest`` characters."""
    text = _SPACES.sub(" ", value).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def sms_parts(text: str) -> int:
    """How many short messages a gateway will charge for this text (0 for none)."""
    if all(letter in _GSM7 or letter in _GSM7_TWO for letter in text):
        length, (alone, joined) = sum(2 if letter in _GSM7_TWO else 1 for letter in text), GSM7_PARTS
    else:
        length, (alone, joined) = len(text.encode("utf-16-le")) // 2, UCS2_PARTS
    return -(-length // (alone if length <= alone else joined))


def moment_words(moment: datetime, now: datetime, language: str) -> str:
    """A moment in its own offset, with the year only where it is not the current one."""
    words = PHRASES[language]
    parts = {name: getattr(moment, name) for name in ("year", "month", "day", "hour", "minute")}
    day = words["day"].format(**parts)
    return day if moment.year == now.astimezone(moment.tzinfo).year else words["year"].format(**parts) + day


def message_values(
    template: str, params: Mapping[str, Any], language: str, *, link: str | None, now: datetime
) -> dict[str, str]:
    """The named values of one message.

    Args:
        params: ``rule``, ``severity``, ``opened_at``; optional ``window``, ``window_name``, ``case``,
            ``source`` (``kind``: camera or site), ``stage``, ``due_at`` or ``since`` with ``minutes``, ``ack_until``, ``who``, ``provisional``,
            ``waiting`` (citizens wait at the empty window); of what is said again ``number`` (2: the second reminder),
            ``until`` (``acknowledged`` or ``answered``: what is waited for) and ``waited`` (minutes; None: nobody was reached).
            Those of a digest: :mod:`alerts.digest_words`; about the system itself: :mod:`alerts.system_words`.
        now: when the message was written (decides whether a moment needs its year).

    Raises:
        KeyError, ValueError: the params are not those of a message.
    """
    words = PHRASES[language]

    def moment(name: str) -> str:
        return moment_words(datetime.fromisoformat(params[name]), now, language)

    if template.startswith("digest."):
        return digest_values(params, language, moment=moment, clean=clean)
    if template.startswith("system."):
        return system_values(params, language, moment=moment, clean=clean)
    rule = rule_words(str(params["rule"]), language)
    if params.get("since"):
        due = words["since"].format(moment=moment("since"), minutes=f"{params['minutes']:g}")
    elif params.get("due_at"):
        due = words["due"].format(moment=moment("due_at"))
    else:
        due = words["found"].format(moment=moment("opened_at"))
    if params.get("waiting"):
        due += words["waiting"]
    if params.get("provisional"):
        due += words["provisional"]
    ack = ""
    if link and params.get("ack_until"):
        ack = words["ack"].format(moment=moment("ack_until"), link=link)
    who = clean(str(params.get("who") or words["nobody"]))
    late = {}
    if params.get("late"):
        late = {"step": LATE[language][params["late"]], "answer_due": moment("answer_due"), "who": who}
    elif template in ("finding.again", "finding.escalated"):
        late = _again(params, language)
    return late | {
        "signature": words["signature"],
        "level": LEVELS[language][params["severity"]],
        "subject": _subject(params, language),
        "rule": rule.name
        + (words["stage"].format(stage=clean(str(params["stage"]))) if params.get("stage") else ""),
        "due": due,
        "act": (rule_words("camera", language) if params.get("kind") else rule).act.format(who=who),
        "ack": ack,
        "link": link or "",
    }


def _again(params: Mapping[str, Any], language: str) -> dict[str, str]:
    """What is said again to those told before, or for the first time to those above them."""
    words = PHRASES[language]
    step = words["answered" if params.get("until") == "answered" else "acknowledged"]
    waited = params.get("waited")
    if waited is None:
        why = words["unreached"]
    elif waited < 120:
        why = words["waited"].format(minutes=f"{waited:.0f}", step=step)
    else:
        why = words["waited_hours"].format(hours=int(waited // 60), step=step)
    return {"number": str(params.get("number", 1)), "step": step, "why": why}


def _subject(params: Mapping[str, Any], language: str) -> str:
    words, parts = PHRASES[language], []
    if window := params.get("window"):
        # Some centres put the word into the name ("6号窗口 规划许可"); it is not said twice.
        name = clean(str(params.get("window_name") or "").replace(str(window), ""))
        named = "window_named" if ("窗口" in name or "window" in name.lower()) else "window"
        parts.append(
            words[named].format(id=window, name=name).replace(f"{window} 窗口", f"{window}窗口").strip()
        )
    if case := params.get("case"):
        parts.append(words["case"].format(case=clean(str(case))))
    if source := params.get("source"):
        kind = params.get("kind")
        named = f"source_{kind}" if kind in ("camera", "site") else "source"
        parts.append(words[named].format(source=clean(str(source))))
    return words["join"].join(parts) or clean(str(params.get("centre_name") or ""))


def render_text(template: str, values: Mapping[str, str], language: str) -> str:
    """Template and values as one line of text.

    Raises:
        KeyError: no such template, or a value is missing.
    """
    return _SPACES.sub(" ", TEXTS[language][template].format(**values)).strip()


def e164(number: str) -> str:
    """The number with its country, as ``+8613800000001``; a mainland number may come without."""
    digits = number.strip()
    return digits if digits.startswith("+") else "+86" + digits.removeprefix("0086")


def mask_phone(phone: str) -> str:
    """For logs and screens: 138****0001."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "****"
