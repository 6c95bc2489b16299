"""Arrays for PostgreSQL, written fast: every batch of ours is a few arrays, and psycopg asks a regular expression about each item.

Here each item is quoted without asking, which PostgreSQL allows for a value of any type, and moments are written by C.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from psycopg.abc import Buffer
from psycopg.types.array import ListDumper


class QuotingListDumper(ListDumper):
    """psycopg's dumper of lists with every item quoted. Lists in lists go psycopg's own way."""

    def _dump_list(
        self, obj: list[Any], tokens: list[Buffer], needs_quotes: Callable[[Buffer], object]
    ) -> None:
        if any(isinstance(item, list) for item in obj):
            super()._dump_list(obj, tokens, needs_quotes)
            return
        dump = self.sub_dumper.dump if self.sub_dumper else self._dump_item

        def quoted(item: Any) -> bytes:
            if item is None:
                return b"NULL"
            if type(item) is datetime:
                return b'"' + item.isoformat().encode() + b'"'
            found = dump(item)
            if found is None:
                return b"NULL"
            return b'"' + bytes(found).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

        tokens.append(b"{" + b",".join(map(quoted, obj)) + b"}")
