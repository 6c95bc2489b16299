"""The processes of ours in the drill of gateways: ``python -m tests.drills.gateway_processes sender|door SETTINGS``.

SETTINGS is a file of JSON: dsn, ports of the gateways, the port of the door, a folder. They are the sender and the door of the
system with shorter times; what takes half an hour there takes seconds here.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from alerts import receipts
from alerts.catalogue import TEXTS
from alerts.hooks import Hook, open_hook
from alerts.hooks.http_map.fake import MAS
from alerts.hooks.smpp.fake import PASSWORD, SYSTEM_ID
from alerts.links import AckLinks
from alerts.receipt_rounds import ReceiptRounds
from alerts.receipts_app import create_receipts_app
from alerts.sender import Sender, SenderSettings
from domain.clock import Clock
from tests.drills.gateway_fakes import SECRET, TIMEOUT
from tests.drills.gateway_plan import HOPELESS

LINKS: Final = AckLinks(b"a secret for the drill only", "http://wall.example")
LEASE: Final = 3.0
#: As long as a gateway of the drill goes on with what nobody waits for any more.
LINGER: Final = 0.6
QUICK: Final = SenderSettings(
    lease=LEASE,
    waits=(0.1, 0.3, 0.6),
    poll=0.2,
    heartbeat=0.5,
    patience=1.5,
    rounds=0.3,
    max_tries=60,
    channel_patience=3.0,
    doubt=1.2,
)


def open_hooks(settings: Mapping[str, Any]) -> dict[str, Hook]:
    """The four channels, each to its gateway's port."""
    token = Path(settings["folder"]) / "token"
    ports = settings["ports"]
    base = {channel: f"http://127.0.0.1:{port}" for channel, port in ports.items()}
    templates = {name: {"id": f"SMS_{n}", "values": ["signature"]} for n, name in enumerate(TEXTS["zh-CN"])}
    pushes = {"token_file": str(token), "id": "msgGroup", "code": "errorCode", "delivered": ["DELIVRD"]}
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        **{
            name: ("http_json", {"url": f"{base[name]}/messages", "query_url": f"{base[name]}/messages/{{key}}"})
            for name in ("http", *HOPELESS)
        },
        "aliyun": (
            "aliyun",
            {"access_key_id": "LTAI-test", "sign_name": "明镜", "templates": templates, "endpoint": base["aliyun"],
             "push_token_file": str(token)},
        ),
        "mas": ("http_map", MAS | {"url": f"{base['mas']}/sms/norsubmit", "pushes": pushes}),
        "smpp": (
            "smpp",
            {"host": "127.0.0.1", "port": ports["smpp"], "tls": False, "system_id": SYSTEM_ID, "password": PASSWORD,
             "source": "10690001", "patience": 2.0, "passing_codes": {0x08: 0.3, 0x58: 1.0}},
        ),
    }  # fmt: skip
    own: dict[str, dict[str, Any]] = {
        "http_json": {"secret": SECRET},
        "barred": {"secret": "not ours any more"},
    }
    own |= {kind: {"secret": SECRET, "linger": LINGER} for kind in ("aliyun", "http_map")}
    return {
        channel: open_hook(kind, config | {"timeout": TIMEOUT} | own.get(channel, own.get(kind, {})))
        for channel, (kind, config) in wanted.items()
    }


def watch_questions(hook: Hook, folder: Path) -> None:
    """Writes down each question before a second try and its answer, so that the balance need not believe the sender."""
    ask = getattr(hook, "query", None)
    if ask is None:
        return

    def asked(message: Any) -> Any:
        answer = ask(message)
        if threading.current_thread().name.startswith("send-"):
            os.write(file, f"{message.idempotency_key} {'no' if answer is None else 'yes'}\n".encode())
        return answer

    file = os.open(folder / "questions", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    hook.query = asked  # type: ignore[attr-defined]


def sender(settings: Mapping[str, Any]) -> None:
    """As the role ``sender``: sends, and a thread beside it fetches receipts and asks for late ones."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    hooks, clock = open_hooks(settings), Clock()
    for hook in hooks.values():
        watch_questions(hook, Path(settings["folder"]))
    receipts.ASK_AGAIN = timedelta(seconds=1)  # type: ignore[misc]
    service = Sender(settings["dsn"], hooks, clock, links=LINKS, settings=QUICK)
    ReceiptRounds(settings["dsn"], hooks, clock, service.outgoing, every=QUICK.rounds).start(stop)
    service.run(stop)
    service.close()


def door(settings: Mapping[str, Any]) -> None:
    """Takes the receipts that gateways push."""
    hooks = open_hooks(settings)
    app = Starlette(routes=[Mount("/receipts", create_receipts_app(settings["dsn"], Clock(), hooks))])
    uvicorn.run(app, host="127.0.0.1", port=settings["door"], log_level="warning", access_log=False)


def main() -> None:
    logging.basicConfig(level="ERROR")
    role, path = sys.argv[1:]
    {"sender": sender, "door": door}[role](json.loads(Path(path).read_text("utf-8")))


if __name__ == "__main__":
    main()
