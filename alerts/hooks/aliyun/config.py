"""Settings of the Aliyun hook."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from alerts.hooks.approved import ApprovedConfig
from alerts.hooks.asking import SignedConfig, web_address


class Config(SignedConfig, ApprovedConfig):
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
    sign_name: str = Field(min_length=1)
    endpoint: str = "https://dysmsapi.aliyuncs.com"
    push_token_file: Path | None = None

    @field_validator("endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        return web_address(value).rstrip("/")
