"""Settings of the mapped HTTP hook: one gateway described, not programmed."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from alerts.hooks.asking import AskingConfig, web_address

#: What a field can be made of, besides ``values.<name>``, ``template_id`` and the names of ``constants`` and ``digests``.
PLACES = frozenset(
    {"to", "text", "key", "short_key", "template", "template_id", "stamp", "stamp_ms", "secret"}
)
Scalar = str | int | bool


class Digest(BaseModel):
    """A checksum or signature over other places.

    Args:
        of: text of places, e.g. ``{ec}{user}{secret}{to}{text}``.
        algorithm: how; the HMACs use the secret as their key.
        upper: hexadecimal digits in upper case. base64: base64 instead of hexadecimal digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str
    algorithm: Literal["md5", "sha1", "sha256", "hmac-sha1", "hmac-sha256"]
    upper: bool = False
    base64: bool = False


class Expected(BaseModel):
    """How an answer is read; paths lead through objects and lists by dots (``data.0.id``).

    Args:
        code: path of the field that says how it went; None: the status alone says it.
        good: its values that mean "taken".
        passing: values that mean "not now": this message waits.
        too_many: values that mean "too many": all wait ``pause`` seconds.
        unclear: values after which nobody knows.
        channel: values that refuse all messages (key, account, balance): the channel is switched off when they come again and again.
        id: path of the gateway's id of the message.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str | None = None
    good: list[Scalar] = Field(default_factory=list)
    passing: list[Scalar] = Field(default_factory=list)
    too_many: list[Scalar] = Field(default_factory=list)
    unclear: list[Scalar] = Field(default_factory=list)
    channel: list[Scalar] = Field(default_factory=list)
    id: str | None = None

    @model_validator(mode="after")
    def _said(self) -> Self:
        if self.code is not None and not self.good:
            raise ValueError(
                "answer: good is missing: which values of its code mean that it has the message?"
            )
        return self


class Pushes(BaseModel):
    """How pushed receipts are read; paths as in :class:`Expected`.

    Args:
        token_file: secret that the gateway repeats as ``?token=``.
        rows: path of the list, "" for the body itself (an object alone counts as a list of one).
        id, key: path of the gateway's id, or of our key, in a row; one of them.
        code: path of the field that says what became of it. delivered: its values for "arrived"; any other means that it has not.
        answer: what the gateway wants to hear.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_file: Path
    rows: str = ""
    id: str | None = None
    key: str | None = None
    code: str
    delivered: list[Scalar] = Field(min_length=1)
    answer: str = "{}"

    @model_validator(mode="after")
    def _names_a_message(self) -> Self:
        if self.id is None and self.key is None:
            raise ValueError("pushes: id or key is missing: which message is a receipt about?")
        return self


class Config(AskingConfig):
    """One gateway.

    Args:
        url: where to post (or get).
        body: ``json`` and ``form`` carry ``fields``; ``json-base64`` is the JSON in base64; ``query`` puts them into the address.
        fields: name → text with places in braces; ``{values.level}`` is a value of the message. Text without braces is sent as it is.
        headers: the same, for headers.
        constants: own places.
        digests: places that are computed, in their order; a later one may use an earlier one.
        templates: ours → the provider's id, for ``{template_id}``; every template must be there if that place is used.
        secret, secret_file: for ``{secret}`` and the HMACs.
        answer: how an answer is read.
        query_url, query: where and how to ask by key: ``{key}`` or ``{short_key}`` in it; 404 or a code outside ``good`` means "not here".
        pushes: how receipts that are pushed are read.
        pause: seconds all wait after ``too_many``. wait: seconds a message waits after ``passing``.
    """

    url: str
    method: Literal["POST", "GET"] = "POST"
    body: Literal["json", "form", "json-base64", "query"] = "json"
    fields: dict[str, Scalar] = Field(min_length=1)
    headers: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    digests: dict[str, Digest] = Field(default_factory=dict)
    templates: dict[str, str] = Field(default_factory=dict)
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
    answer: Expected = Expected()
    query_url: str | None = None
    query: Expected = Expected()
    pushes: Pushes | None = None
    pause: Annotated[float, Field(gt=0)] = 60
    wait: Annotated[float, Field(gt=0)] = 600

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        return web_address(value)

    @field_validator("query_url")
    @classmethod
    def _asks(cls, value: str | None) -> str | None:
        if value is not None and not {"key", "short_key"} & set(places_of(value)):
            raise ValueError("expected {key} or {short_key} in it")
        return None if value is None else web_address(value)

    @model_validator(mode="after")
    def _known_places(self) -> Self:
        known = PLACES | self.constants.keys()
        if hidden := sorted(PLACES & (self.constants.keys() | self.digests.keys())):
            raise ValueError(f"{hidden[0]} is a place already and cannot be named again")
        for name, digest in self.digests.items():
            _check(f"digests.{name}", digest.of, known)
            known |= {name}
        for name, text in (self.fields | self.headers).items():
            if isinstance(text, str):
                _check(name, text, known)
        if self.query_url:
            _check("query_url", self.query_url, known)
        texts = [
            *self.fields.values(),
            *self.headers.values(),
            *(digest.of for digest in self.digests.values()),
        ]
        used = {place for text in texts if isinstance(text, str) for place in places_of(text)}
        hmacs = any(digest.algorithm.startswith("hmac") for digest in self.digests.values())
        if ("secret" in used or hmacs) and not self.secret.get_secret_value() and self.secret_file is None:
            raise ValueError("secret_file is missing")
        if "template_id" in used:
            _check_templates(self.templates)
        return self


def places_of(text: str) -> list[str]:
    """Names of the places in a text.

    Raises:
        ValueError: braces that do not match, or a place with a conversion or format.
    """
    found = []
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if form or conversion or not name:
            raise ValueError(f"a place is a name in braces, not {{{name}…}}")
        found.append(name)
    return found


def _check(where: str, text: str, known: frozenset[str]) -> None:
    for name in places_of(text):
        if name not in known and not name.startswith("values."):
            raise ValueError(
                f"{where}: there is no place {{{name}}}; there are {', '.join(sorted(known))}, values.…"
            )


def _check_templates(templates: dict[str, str]) -> None:
    from alerts.catalogue import ALWAYS

    if missing := sorted(ALWAYS - templates.keys()):
        raise ValueError(f"templates: {missing[0]} is missing")
