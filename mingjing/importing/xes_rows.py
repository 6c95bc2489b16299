"""Rows of an XES log (IEEE 1849), plain or gzip, read as a stream.

The file comes from strangers, so the parser is expat with nothing switched on: a document type (the only way to
declare an entity) ends the reading, nothing outside the file is ever opened, and depth is limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from domain.errors import InputError
from mingjing.importing.rows import RejectedRow, Row, open_bytes

PIECE = 1 << 16
MAX_DEPTH = 64
#: Elements that carry one attribute of a trace or an event.
VALUES = frozenset({"string", "date", "int", "float", "boolean", "id"})
#: Elements of the log's head: their content describes attributes and is none.
HEAD = frozenset({"global", "classifier", "extension"})


class _Refused(Exception):
    """The document holds what no log needs."""


class _Handler:
    """Collects finished events; attributes nested in attributes are left alone."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.ready: list[Row | RejectedRow] = []
        self.is_log = False
        self._parser = parser
        self._path: list[str] = []
        self._trace: dict[str, str] = {}
        self._event: dict[str, str] = {}
        self._line = 0
        # Attributes of a trace may stand after its events, so a trace is handed on when it ends.
        self._waiting: list[tuple[int, dict[str, str]]] = []
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def _doctype(self, *_: object) -> None:
        raise _Refused("a document type declaration is not accepted")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self._path:
            if name != "log":
                raise _Refused(f"the outermost element is <{name}>, not <log>")
            self.is_log = True
        if len(self._path) >= MAX_DEPTH:
            raise _Refused(f"elements are nested more than {MAX_DEPTH} deep")
        inside = self._path[-1] if self._path else ""
        self._path.append(name)
        if HEAD.intersection(self._path):
            return
        if name == "trace":
            self._trace, self._waiting = {}, []
        elif name == "event":
            self._event, self._line = {}, self._parser.CurrentLineNumber
        elif name in VALUES and inside in ("trace", "event") and "key" in attributes:
            into = self._trace if inside == "trace" else self._event
            into[attributes["key"]] = attributes.get("value", "")

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if HEAD.intersection(self._path):
            return
        if name == "event":
            if self._path[-1:] == ["trace"]:
                self._waiting.append((self._line, self._event))
            else:
                reason = "the event stands outside a trace, so it has no case"
                self.ready.append(RejectedRow(self._line, "no_trace", None, reason, self._event))
        elif name == "trace":
            of_case = {f"case:{key}": value for key, value in self._trace.items()}
            self.ready += [Row(line, {**of_case, **event}) for line, event in self._waiting]
            self._trace, self._waiting = {}, []


def read_xes(path: Path) -> Iterator[Row | RejectedRow]:
    """Event after event.

    Raises:
        InputError: the file cannot be read, is not well-formed, is no XES log or holds what no log needs.
    """
    parser = expat.ParserCreate()
    handler = _Handler(parser)
    try:
        with open_bytes(path) as stream:
            while piece := stream.read(PIECE):
                parser.Parse(piece, False)
                yield from handler.ready
                handler.ready.clear()
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InputError(
            f"{path}:{error.lineno}: not well-formed XML: {expat.ErrorString(error.code)}"
        ) from None
    except _Refused as error:
        raise InputError(f"{path}:{parser.CurrentLineNumber}: {error}") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    yield from handler.ready
