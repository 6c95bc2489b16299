"""Templates that a provider has approved: which of its ids stands for which of ours, and which values it wants.

Cloud providers send no free text. Signature and template are approved before the first message; a message names the id and
gives the values, by name (Aliyun) or in order (Tencent, Huawei).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.catalogue import TEXTS
from alerts.messages import Outgoing, clean
from domain.errors import SendError

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
    """The part of a hook's settings that maps our templates to the provider's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: dict[str, Approved]

    @model_validator(mode="after")
    def _all_there(self) -> ApprovedConfig:
        known = TEXTS["zh-CN"]
        if missing := sorted(known.keys() - self.templates.keys()):
            raise ValueError(
                f"templates: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            )
        if unknown := sorted(self.templates.keys() - known.keys()):
            raise ValueError(f"templates: there is no template {unknown[0]}; there are {', '.join(known)}")
        for name, template in self.templates.items():
            has = {*_PLACE.findall(known[name]), "link"}
            if strange := [value for value in template.values if value not in has]:
                raise ValueError(
                    f"templates: {name} has no value {strange[0]}; it has {', '.join(sorted(has))}"
                )
        return self


def approved(templates: Mapping[str, Approved], message: Outgoing) -> Approved:
    """The provider's template for a message.

    Raises:
        SendError: permanent; none is approved for it.
    """
    try:
        return templates[message.template]
    except KeyError:
        raise SendError(f"no approved template for {message.template}", permanent=True) from None
