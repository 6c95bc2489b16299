"""Settings of the Huawei Cloud hook."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from alerts.hooks.approved import ApprovedConfig
from alerts.hooks.asking import SignedConfig, web_address


class Config(SignedConfig, ApprovedConfig):
    """An application of Huawei Cloud's short message service (华为云消息&短信服务).

    Args:
        app_key: key of the application. secret, secret_file: its secret; one of them.
        url: the application's own access address (APP 接入地址).
        sender: number of the signature's channel (签名通道号). sign_name: the signature, for channels that several share.
        templates: ours → the approved one; values are given in order.
        callback: address of ours that receipts are pushed to; give it ``?token=…`` with the secret of ``push_token_file``.
        patience: seconds for which a receipt may be on its way; a message in doubt waits so long before it is sent again.
        digest: what is put into base64 for the password: the hexadecimal digits (as the vendor's examples do) or the raw bytes
            (as its text reads).
    """

    app_key: str = Field(min_length=1)
    url: str
    sender: str = Field(min_length=1)
    sign_name: str = ""
    callback: str = ""
    push_token_file: Path | None = None
    patience: float = Field(default=600, ge=0)
    digest: Literal["hex", "raw"] = "hex"

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        return web_address(value).rstrip("/")
