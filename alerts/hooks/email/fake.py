"""A mail server on loopback that takes letters, or refuses them, or hangs up at any step."""

from __future__ import annotations

import email
import socketserver
import threading
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Self

from alerts.hooks.email.config import Config
from alerts.hooks.email.hook import EmailHook


class FakeMailServer:
    """``with FakeMailServer() as post: post.hook().send(…)``; ``letters`` are (recipient, letter).

    ``answers`` maps a step (``MAIL``, ``RCPT``, ``DATA``, ``.``) to the code of its next answer; 0 hangs up there, after taking
    the letter if that step is the last dot.
    """

    def __init__(self) -> None:
        self.letters: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, int] = {}
        outer = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def hook(self, **more: object) -> EmailHook:
        """A hook that sends here."""
        settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "sender": "mingjing@gov.example",
        }
        return EmailHook(Config.model_validate(settings | more))

    def _talk(self, talk: socketserver.StreamRequestHandler) -> None:
        def say(code: int) -> bool:
            if code:
                talk.wfile.write(f"{code} words that may name somebody\r\n".encode())
            return bool(code)

        say(220)
        to = ""
        while line := talk.rfile.readline().decode().strip():
            step = line.split(":")[0].split()[0].upper()
            if step == "RCPT":
                to = line.partition("<")[2].rstrip(">")
            if step == "QUIT":
                say(221)
                return
            said = self.answers.pop(step, 354 if step == "DATA" else 250)
            if not say(said):
                return
            if said == 354:
                lines = []
                while (part := talk.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                code = self.answers.pop(".", 250)
                if code in (0, 250):
                    letter = email.message_from_bytes(b"".join(lines), policy=default)
                    self.letters.append((to, letter))
                if not say(code):
                    return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
