"""Settings of the Aliyun hook."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from alerts.hooks.approved import ApprovedConfig
from alerts.hooks.asking import AskingConfig, web_address


class Config(AskingConfig, ApprovedConfig):
    """An account of Aliyun's short message service (阿里云短信服务).

    Args:
        access_key_id: id of a RAM user that may do ``dysms:SendSms`` and ``dysms:QuerySendDetails`` and nothing else.
        secret, secret_file: its AccessKey secret; one of them.
        sign_name: the approved signature, without brackets.
        templates: ours → the approved one; see :class:`alerts.hooks.approved.Approved`. Aliyun takes no addresses as values:
            leave ``link`` out, or put the address into the template.
        endpoint: address of the service.
        push_token_file: secret that Aliyun repeats as ``?token=`` with each receipt it pushes; None: no push is believed.
    """

    access_key_id: str = Field(min_length=1)
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
    sign_name: str = Field(min_length=1)
    endpoint: str = "https://dysmsapi.aliyuncs.com"
    push_token_file: Path | None = None

    @field_validator("endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        return web_address(value).rstrip("/")

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if not self.secret.get_secret_value() and self.secret_file is None:
            raise ValueError("secret_file is missing")
        return self
