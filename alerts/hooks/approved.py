"""Templates that a provider has approved: which of its ids stands for which of ours, and which values it wants.

Cloud providers send no free text. Signature and template are approved before the first message; a message names the id and
gives the values, by name (Aliyun) or in order (Tencent, Huawei).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.catalogue import ALWAYS, TEXTS
from alerts.messages import Outgoing, clean
from domain.errors import SendError
from domain.messages import CARD_ROLES, MessageSettings

_PLACE = re.compile(r"\{(\w+)\}")


class Approved(BaseModel):
    """One approved template.

    Args:
        id: the provider's id of it.
        values: which of a message's values it takes, in its order.
        names: what the provider calls them, by our name; a value that is not here keeps its name.
        longest: characters of one value; longer ones are cut, because the provider refuses the whole message.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    values: list[str] = Field(default_factory=lambda: ["level", "subject", "rule", "due", "act"])
    names: dict[str, str] = Field(default_factory=dict)
    longest: int = Field(default=35, ge=1)

    def listed(self, message: Outgoing) -> list[str]:
        """The values in the template's order.

        Raises:
            SendError: permanent; the message has no such value.
        """
        try:
            return [clean(message.values[name], self.longest) for name in self.values]
        except KeyError as error:
            raise SendError(
                f"template {message.template} has no value {error.args[0]!r}", permanent=True
            ) from None

    def named(self, message: Outgoing) -> dict[str, str]:
        """The values by the provider's names. Raises as :meth:`listed`."""
        values = self.listed(message)
        return {self.names.get(name, name): value for name, value in zip(self.values, values, strict=True)}


class ApprovedConfig(BaseModel):
    """The part of a hook's settings that maps our templates to the provider's.

    The templates of every centre must be there. Others are needed where a centre's settings lead to them, which is asked
    where both are known (:func:`needed`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: dict[str, Approved]

    @model_validator(mode="after")
    def _all_there(self) -> ApprovedConfig:
        known = TEXTS["zh-CN"]
        if lacking := sorted(ALWAYS - self.templates.keys()):
            raise ValueError(
                f"templates: {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
            )
        if unknown := sorted(self.templates.keys() - known.keys()):
            raise ValueError(f"templates: there is no template {unknown[0]}; there are {', '.join(known)}")
        for name, template in self.templates.items():
            has = places(name)
            if strange := [value for value in template.values if value not in has]:
                raise ValueError(
                    f"templates: {name} has no value {strange[0]}; it has {', '.join(sorted(has))}"
                )
        return self


def places(template: str) -> frozenset[str]:
    """The values that a template of ours has."""
    return frozenset((*_PLACE.findall(TEXTS["zh-CN"][template]), "link"))


def all_approved(form: str, values: Sequence[str]) -> dict[str, Approved]:
    """Every template, with those of the values that it has; for fakes. ``form``: the ids, with ``{}`` for a number."""
    return {
        name: Approved(id=form.format(index), values=[each for each in values if each in places(name)])
        for index, name in enumerate(TEXTS["zh-CN"])
    }


def needed(messages: MessageSettings) -> dict[str, str]:
    """Templates that a centre's settings can send, each with the key of the centre file that leads to it."""
    found = dict.fromkeys(sorted(ALWAYS), "messages")
    lists = [("notice", messages.notice), ("yellow", messages.yellow), ("red", messages.red)]
    told = {role for _, roles in lists for role in roles}
    for route in messages.routes:
        told.update(route.to, *(step.to for step in route.escalate))
        if route.remind_every is not None:
            found.setdefault("finding.again", f"messages.routes.{route.id}.remind_every")
        if route.escalate:
            found.setdefault("finding.escalated", f"messages.routes.{route.id}.escalate")
    if told.difference(CARD_ROLES):
        # Whoever gets no cards is told of several in one, also after quiet hours and silences.
        grouped = messages.group is not None and told.intersection(messages.group.roles)
        found["digest.group"] = found["digest.corrections"] = "messages.group" if grouped else "messages"
    if messages.flood is not None:
        found["digest.flood"] = "messages.flood"
    elif messages.budget is not None:
        found["digest.flood"] = "messages.budget"
    if messages.digest is not None:
        found["digest.daily"] = "messages.digest"
    if messages.operators:
        found["system.trouble"] = found["system.clear"] = "messages.operators"
    return found


def approved(templates: Mapping[str, Approved], message: Outgoing) -> Approved:
    """The provider's template for a message.

    Raises:
        SendError: permanent; none is approved for it.
    """
    try:
        return templates[message.template]
    except KeyError:
        raise SendError(f"no approved template for {message.template}", permanent=True) from None
