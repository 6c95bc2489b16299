"""A bundle for an inspector: made from a real database, verified without one, and any changed byte is named."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.centre_file import parse_centre
from domain.chain import Entry, Head, link
from domain.errors import InputError
from domain.events import parse_line
from mingjing.audit import bundle
from mingjing.audit.command import read_heads
from mingjing.audit.exporting import Selection, export, sign_head
from mingjing.audit.rows import row_line
from mingjing.audit.signing import head_row, is_signed_by, load_private_key, load_public_key
from mingjing.audit.verifying import verify
from mingjing.cli import main
from mingjing.why.reasons import answer_case
from store import chain
from store.connection import connect
from store.finding_life import take_step
from store.findings import Change, Said, as_entries, write_said
from store.ingest import write_events
from tests.mingjing.test_why import CENTRE, SUSPENDED

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
CODE = "530502"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HALL = parse_centre(CENTRE + "  - {id: p4, name: 李督}\nmessages: {inspectors: [p4]}\n")


@dataclass(frozen=True)
class Made:
    """A bundle, and what it is about."""

    content: bytes
    finding: str
    files: dict[str, bytes]


def fill(db: psycopg.Connection) -> str:
    """A case with its findings, a life, and rows of others before, between and after; returns the yellow card."""
    events = [replace(parse_line(text), centre=CODE, received_at=NOW) for text in SUSPENDED]
    write_events(db, events, centre=CODE, now=NOW)
    other = [Entry("finding.opened", "case:秘密", {"finding": {"case": "秘密"}, "detail": {}}, "f-other")]
    with db.transaction():
        chain.append(db, CODE, other, NOW)
        chain.note_settings(db, CODE, {"settings": "s1", "calendar": "CN"}, NOW)
        findings = answer_case("K1", events, HALL, NOW).findings
        said = [Said("case:K1", [Change("opened", finding) for finding in findings])]
        write_said(db, said, NOW)
        chain.append(db, CODE, as_entries(said), NOW)
        chain.append(db, CODE, other, NOW)
    card = next(finding for finding in findings if finding.rule == "time_limit.promised").finding_id
    db.execute("update finding set window_id = 'A07'")
    take_step(db, HALL, card, "answer", person="p1", text="系统升级，已补办", now=NOW + timedelta(hours=1))
    with db.transaction():
        chain.append(db, CODE, other, NOW)
    return card


@pytest.fixture(scope="module")
def made(postgres: str) -> Made:
    """One bundle for the tests that only read it."""
    from store.migrate import migrate
    from tests.fixtures_postgres import with_database

    name = "mj_audit_bundle"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template template0")
    migrate(with_database(postgres, name))
    with connect(with_database(postgres, name), autocommit=True) as db:
        card = fill(db)
        content = export(db, HALL, Selection(case="K1"), NOW, by="p4", key=KEY)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")
    files = bundle.unpack(content)
    assert isinstance(files, dict)
    return Made(content, card, files)


pytestmark = pytest.mark.postgres


def test_it_holds_what_an_inspector_asks_for_and_nothing_of_others(made: Made) -> None:
    assert sorted(made.files) == [
        "chain.jsonl", "events.jsonl", "findings.json", "heads.json", "manifest.json", "messages.json", "report.html",
        "seal.json", "settings.json",
    ]  # fmt: skip
    everything = b"".join(made.files.values()).decode()
    assert "秘密" not in everything
    page = made.files["report.html"].decode()
    assert "2026-11-24 星期二    3  到期日" in page
    assert "2026-11-24 Tue    3  due day" in page
    assert "系统升级，已补办" in page
    assert len(made.files["events.jsonl"].splitlines()) == 4
    kinds = [json.loads(line)["kind"] for line in made.files["chain.jsonl"].splitlines()]
    assert kinds[-1] == "evidence.exported"
    assert "settings.in_force" not in kinds, "it lies before the first row about the case"


def test_it_is_whole_and_signed(made: Made) -> None:
    done = verify(made.content, KEY.public_key())
    assert done.broken is None
    assert (done.rows, done.files, done.signed) == (7, 7, 1)
    other = Ed25519PrivateKey.generate().public_key()
    assert "is signed by this key" in str(verify(made.content, other).broken)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_one_byte_changed_anywhere_is_noticed(made: Made, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(made.content) - 1))
    value = data.draw(st.integers(1, 255))
    changed = bytearray(made.content)
    changed[place] ^= value
    broken = verify(bytes(changed)).broken
    assert broken is not None, place
    begin = made.content.index(made.files["chain.jsonl"])
    lines = made.files["chain.jsonl"]
    if begin <= place < begin + len(lines):
        number = lines[: place - begin].count(b"\n") + 1
        row = json.loads(lines.split(b"\n")[number - 1])
        # The row itself, or, where a line was joined or cut, its line; a changed end of line the next one too.
        assert re.search(rf"row {row['seq']} of|chain\.jsonl line {number}\b", str(broken)), (
            place,
            str(broken),
        )


def test_every_byte_of_the_chain_names_its_row(made: Made) -> None:
    """Not by chance: every third byte of the file, one after the other."""
    begin, lines = made.content.index(made.files["chain.jsonl"]), made.files["chain.jsonl"]
    for offset in range(0, len(lines), 3):
        changed = bytearray(made.content)
        changed[begin + offset] ^= 1
        broken = str(verify(bytes(changed)).broken)
        number = lines[:offset].count(b"\n") + 1
        seq = json.loads(lines.split(b"\n")[number - 1])["seq"]
        assert f"row {seq} of" in broken or f"chain.jsonl line {number}" in broken, (offset, broken)


@pytest.mark.parametrize(
    "name", ["report.html", "events.jsonl", "settings.json", "messages.json", "manifest.json"]
)
def test_a_changed_file_is_named(made: Made, name: str) -> None:
    changed = bundle.pack({**made.files, name: made.files[name].replace(b"2", b"3", 1) + b" "})
    assert str(verify(changed).broken).startswith(name)


def forged(made: Made, **files: bytes) -> bytes:
    """With a manifest and a seal that fit: somebody took trouble."""
    kept = {
        name: content for name, content in made.files.items() if name not in ("manifest.json", "seal.json")
    }
    about = json.loads(made.files["manifest.json"])["about"]
    return bundle.pack(bundle.seal({**kept, **files}, about))


def test_facts_that_the_chain_does_not_know_are_named_though_everything_else_fits(made: Made) -> None:
    rows = json.loads(made.files["findings.json"])
    rows[-1]["facts"]["severity"] = "notice"
    said = str(verify(forged(made, **{"findings.json": json.dumps(rows).encode()})).broken)
    assert said.startswith(f"finding {rows[-1]['finding_id']}")
    assert "other facts than row" in said
    rows = json.loads(made.files["findings.json"])
    next(row for row in rows if row["acts"])["acts"].clear()
    assert "other acts" in str(verify(forged(made, **{"findings.json": json.dumps(rows).encode()})).broken)


def test_a_chain_written_anew_is_told_by_the_signed_head(made: Made) -> None:
    rows = [json.loads(line) for line in made.files["chain.jsonl"].splitlines()]
    entries = []
    for row in rows:
        body = json.loads(row.get("body") or '{"payload":{},"subject":"","finding":null}')
        if row["kind"] == "act.answered":
            body["payload"]["detail"]["text"] = "没有的事"
        entries.append(Entry(row["kind"], body["subject"], body["payload"], body["finding"]))
    head = Head(CODE, rows[0]["seq"] - 1, bytes.fromhex(rows[0]["prev_hash"]))
    new = link(head, entries, NOW)
    shown = [row["seq"] for row in rows if "body" in row]
    chained = "".join(f"{row_line(row, shown)}\n" for row in new).encode()
    findings = json.loads(made.files["findings.json"])
    for finding in findings:
        for act in finding["acts"]:
            act["detail"]["text"], act["at"] = "没有的事", "2026-11-25T01:00:00.000000Z"
    fake = forged(made, **{"chain.jsonl": chained, "findings.json": json.dumps(findings).encode()})
    assert verify(fake).broken is None, "nothing in it says otherwise …"
    assert "is signed by this key" in str(verify(fake, KEY.public_key()).broken), "… but the key does"
    kept = {CODE: {rows[-1]["seq"]: bytes.fromhex(rows[-1]["hash"])}}
    assert "kept elsewhere" in str(verify(fake, kept=kept).broken)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all" * 99])
def test_what_is_no_bundle(content: bytes) -> None:
    assert verify(content).broken is not None


def test_openssl_makes_the_keys_and_verifies_a_head(tmp_path: Path) -> None:
    """Without our code: the page in docs/evidence.md, word for word."""
    for command in (
        "openssl genpkey -algorithm ed25519 -out key.pem",
        "openssl pkey -in key.pem -pubout -out pub.pem",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    key, public = load_private_key(tmp_path / "key.pem"), load_public_key(tmp_path / "pub.pem")
    head = Head(CODE, 7, bytes(range(32)))
    text = (
        f'{{"centre":"{CODE}","day":"2026-11-25","format":"mingjing-head-1","hash":"{head.hash.hex()}","seq":7,'
        '"signed_at":"2026-11-25T01:00:00.000000Z"}'
    )
    signature = key.sign(text.encode())
    assert is_signed_by(head_row(head, NOW.date(), NOW, signature, bytes(32)), public)
    (tmp_path / "head").write_text(text)
    (tmp_path / "head.sig").write_bytes(signature)
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "head", "-sigfile", "head.sig"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert b"Verified Successfully" in done.stdout
    with pytest.raises(InputError, match="not an Ed25519 private key"):
        load_private_key(tmp_path / "pub.pem")
    with pytest.raises(InputError, match="not an Ed25519 public key"):
        load_public_key(tmp_path / "key.pem")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    both = capsys.readouterr()
    return int(ended.value.code or 0), both.out + both.err


@pytest.fixture
def system(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system's data folder with a filled database."""
    (tmp_path / "centre.yaml").write_text(
        CENTRE + "  - {id: p4, name: 李督}\nmessages: {inspectors: [p4]}\n", "utf-8"
    )
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))
    monkeypatch.setenv("MINGJING_DATABASE", database)
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "pub.pem").write_bytes(
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with connect(database, autocommit=True) as db:
        (tmp_path / "card").write_text(fill(db))
    return tmp_path


def test_the_whole_way_on_the_command_line(
    system: Path, database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, out, heads = (system / "card").read_text(), system / "bundle.zip", system / "heads.jsonl"
    status, said = run(capsys, "audit", "head", "--sign", system / "key.pem", "--out", heads)
    assert (status, said.split()[0]) == (0, "1")
    assert read_heads(heads, system / "pub.pem")[CODE]
    status, said = run(capsys, "finding", "show", card, "--by", "p4")
    assert "已反馈" in said
    assert "张三 p1" in said
    assert run(capsys, "finding", "rectify", card, "--by", "p4", "--text", "x") == (
        2, "mingjing: 'rectify' is for handler or leader or superior; p4 is inspector here\n",
    )  # fmt: skip
    assert run(capsys, "finding", "rectify", card, "--by", "p1", "--text", "已改")[0] == 0
    status, said = run(capsys, "finding", "list")
    assert status == 0
    assert re.search(rf"^{card}  黄牌  time_limit.promised  K1  A07  已整改  办结$", said, re.MULTILINE)
    assert card not in run(capsys, "finding", "list", "--late")[1], "a closing has no clock"
    assert card not in run(capsys, "finding", "list", "--life", "open", "--lang", "en")[1]
    status, said = run(
        capsys, "finding", "open", "--rule", "manual.attitude", "--severity", "notice", "--window", "A07",
        "--text", "态度", "--by", "p4",
    )  # fmt: skip
    assert status == 0, said
    assert (
        run(capsys, "audit", "export", "--finding", card, "--out", out, "--sign", system / "key.pem")[0] == 0
    )
    assert run(capsys, "audit", "export", "--finding", card, "--out", out)[0] == 2, "never written over"
    assert run(capsys, "why", card)[1].startswith("黄牌")
    status, said = run(capsys, "audit", "check", "--heads", heads, "--key", system / "pub.pem")
    assert (status, "1 kept heads" in said) == (0, True), said
    monkeypatch.setenv("MINGJING_DATABASE", "postgresql://127.0.0.1:1/nowhere")
    status, said = run(capsys, "audit", "verify", out, "--key", system / "pub.pem", "--heads", heads)
    assert (status, "whole" in said) == (0, True), said
    out.write_bytes(out.read_bytes().replace("已改".encode(), "没改".encode(), 1))
    status, said = run(capsys, "audit", "verify", out)
    assert status == 3
    assert "row " in said or "finding" in said


def test_a_rewritten_database_is_told_by_the_kept_heads(
    system: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever owns the server can take the triggers away and hash everything anew; not what lies elsewhere."""
    heads = system / "heads.jsonl"
    run(capsys, "audit", "head", "--out", heads)
    with connect(database, autocommit=True) as db:
        rows = list(chain.read(db, CODE))
        forged = link(Head(CODE), [Entry(row.kind, "", {"nothing": 1}) for row in rows], NOW)
        db.execute("alter table evidence disable trigger all; truncate evidence")
        for row in forged:
            db.execute(
                "insert into evidence (centre, seq, at, kind, body, body_hash, prev_hash, hash)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                [CODE, row.seq, row.at, row.kind, row.body, row.body_hash, row.prev_hash, row.hash],
            )
    assert run(capsys, "audit", "check")[0] == 0
    status, said = run(capsys, "audit", "check", "--heads", heads)
    assert (status, "it was rewritten" in said) == (3, True)


def test_heads_of_several_days_and_a_bundle_since(database: str) -> None:
    with connect(database, autocommit=True) as db:
        card = fill(db)
        sign_head(db, chain.end(db, CODE), KEY, NOW)
        with db.transaction():
            chain.append(
                db, CODE, [Entry("evidence.looked", "case:K1", {"person": "p4"})], NOW + timedelta(days=1)
            )
        content = export(db, HALL, Selection(since=NOW - timedelta(days=1)), NOW + timedelta(days=1), by="p4")
        with pytest.raises(InputError, match="nothing is known of case K9"):
            export(db, HALL, Selection(case="K9"), NOW, by="p4")
    files = bundle.unpack(content)
    assert isinstance(files, dict)
    assert verify(content).broken is None
    assert card in [row["finding_id"] for row in json.loads(files["findings.json"])]
    heads: list[dict[str, Any]] = json.loads(files["heads.json"])
    assert [is_signed_by(head, KEY.public_key()) for head in heads] == [True, False]
