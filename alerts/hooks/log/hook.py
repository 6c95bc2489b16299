"""Writes one structured line a message; the line is the delivery."""

from __future__ import annotations

import json
import logging

from alerts.hooks.base import Handed
from alerts.hooks.log.config import Config
from alerts.links import mask_tokens
from alerts.messages import Outgoing, mask_phone, sms_parts


class LogHook:
    """Delivers into the log. Numbers are masked and links have no token: a log is read by many."""

    def __init__(self, config: Config | None = None) -> None:
        self._log = logging.getLogger((config or Config()).logger)

    def send(self, message: Outgoing) -> Handed:
        line = {
            "message": message.idempotency_key,
            "to": mask_phone(message.to),
            "template": message.template,
            "parts": sms_parts(message.text),
            "text": mask_tokens(message.text),
        }
        self._log.info("%s", json.dumps(line, ensure_ascii=False))
        return Handed(provider_id=None, fate="delivered")

    def close(self) -> None:
        """Nothing to give back."""


def open_hook(config: Config) -> LogHook:
    return LogHook(config)
