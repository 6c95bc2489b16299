"""Answers as lines of text, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from dashboard.explaining import day_rows, explain_facts
from dashboard.lights import rule_family
from dashboard.words import Words
from domain.centre import Centre
from domain.findings import Finding
from mingjing.act_words import words_of
from mingjing.why.catalogue import SENTENCES
from mingjing.why.reasons import CaseAnswer, Count, Reason


class Speaker:
    """Says answers in one language and one time zone.

    Raises:
        InputError: nobody speaks this language.
    """

    def __init__(self, language: str, centre: Centre) -> None:
        words_of(language)
        self._sentences, self._words, self._centre = SENTENCES[language], Words(language, centre.zone), centre

    def __call__(self, key: str, **values: object) -> str:
        return self._sentences[key].format(
            **{name: self._said(name, value) for name, value in values.items()}
        )

    def why(self, answer: CaseAnswer) -> Iterator[str]:
        """Each finding with its count; where there is none, why."""
        yield self(_title(answer), case=answer.case, now=answer.now)
        if not answer.findings:
            yield from self.why_not(answer, titled=False)
        for finding in answer.findings:
            yield ""
            yield from self.finding(finding)

    def why_not(
        self, answer: CaseAnswer, more: Iterable[Reason] = (), *, titled: bool = True
    ) -> Iterator[str]:
        """Why there is no other card than those there are, with every count as it stands."""
        if titled:
            yield self(_title(answer), case=answer.case, now=answer.now)
        issued = [finding for finding in answer.findings if not finding.shadow]
        if issued:
            cards = "; ".join(
                f"{self(f'colour_{finding.severity}')} {finding.rule} ({finding.finding_id})"
                for finding in issued
            )
            yield self("cards", cards=cards)
        else:
            yield self("no_card")
        yield self("why_not")
        for reason in (*answer.reasons, *more):
            yield f"  · {self(reason.code, **reason.values)}"
        for count in answer.counts:
            yield ""
            yield from self.count(count)

    def finding(self, finding: Finding) -> Iterator[str]:
        """One finding: what it is, on what grounds, and its count."""
        family = rule_family(finding.rule)
        name = self._words(f"rule_{family}") if self._words.has(f"rule_{family}") else finding.rule
        colour = self(f"colour_{finding.severity}")
        yield self(
            "title_finding",
            colour=colour,
            rule=name if name == finding.rule else f"{name} {finding.rule}",
            finding=finding.finding_id,
        )
        reason = (finding.revoked_reason or "").replace("\n", " / ")
        yield "  " + self(
            f"state_{finding.state}",
            opened=finding.opened_at, closed=finding.closed_at, at=finding.revoked_at, reason=reason,
        )  # fmt: skip
        yield from self._facts(finding.explain)
        if finding.provisional:
            yield "  " + self("provisional_finding")
        if finding.due_at is not None:
            yield from self.count(Count("finding", finding.due_at, finding.explain))

    def count(self, count: Count) -> Iterator[str]:
        """The days, one a line, with what became of each."""
        rows = day_rows(count.explain, self._words)
        if count.explain.get("stands"):
            yield "  " + self("stands", due=count.due_at)
        if not rows:
            return
        yield "  " + self("days", limit=self(f"limit_{count.name}"))
        for day, number, remark, _ in rows:
            yield f"    {day}  {number:>3}  {remark}"
        total = max((int(number) for _, number, _, _ in rows if number.isdigit()), default=0)
        yield "    " + self("sum", n=total, due=count.due_at)

    def _facts(self, explain: Mapping[str, Any]) -> Iterator[str]:
        for key, value in explain_facts(explain, self._words):
            name = self._words(key) if self._words.has(key) else key
            first, *rest = value.split("\n")
            yield f"  {name}: {first}"
            yield from (f"    {line}" for line in rest)

    def _said(self, name: str, value: object) -> object:
        if isinstance(value, datetime):
            return f"{value.astimezone(self._centre.zone):%Y-%m-%d %H:%M:%S}"
        if value is None:
            return "–"
        if name == "limit" and f"limit_{value}" in self._sentences:
            return self._sentences[f"limit_{value}"]
        if name == "colour" and f"colour_{value}" in self._sentences:
            return self._sentences[f"colour_{value}"]
        if name == "ground" and self._words.has(f"ground_{value}"):
            return self._words(f"ground_{value}")
        return value


def _title(answer: CaseAnswer) -> str:
    about = any(reason.code.startswith("subject_") for reason in answer.reasons)
    return "title_subject" if about else "title_case"
