"""Settings of the Tencent Cloud hook."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from alerts.hooks.approved import ApprovedConfig
from alerts.hooks.asking import SignedConfig, web_address


class Config(SignedConfig, ApprovedConfig):
    """An application of Tencent Cloud's short message service (腾讯云短信).

    Args:
        secret_id: id of a sub-account's key that may use this service and nothing else.
        secret, secret_file: its key; one of them.
        app_id: ``SmsSdkAppId`` of the application.
        sign_name: the approved signature, without brackets.
        templates: ours → the approved one; values are given in order ({1}, {2}, …).
        region: ap-beijing, ap-guangzhou or ap-nanjing.
        receipts: fetch receipts and replies (to be switched on by Tencent's support first). Only then can a message be asked
            about.
        patience: seconds for which a receipt may be on its way; a message in doubt waits so long before it is sent again.
        push_token_file: secret that Tencent repeats as ``?token=`` with each push; None: no push is believed.
    """

    secret_id: str = Field(min_length=1)
    app_id: str = Field(pattern=r"^\d+$")
    sign_name: str = Field(min_length=1)
    region: str = "ap-guangzhou"
    endpoint: str = "https://sms.tencentcloudapi.com"
    receipts: bool = False
    patience: float = Field(default=600, ge=0)
    push_token_file: Path | None = None

    @field_validator("endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        return web_address(value).rstrip("/")
