from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts.catalogue import ALWAYS
from domain.errors import SettingsError
from mingjing.channels import (
    address_kinds,
    channel_of,
    check_templates,
    open_channels,
    open_receiving,
    read_channels,
)
from mingjing.settings import load_settings
from tests.alerts.conftest import make_centre

GOOD = """\
sms: {hook: http_map, url: "http://gateway/send", secret_file: secret, fields: {to: "{to}", s: "{secret}"}}
post: {hook: email, host: mail.example, sender: mingjing@gov.example}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("very secret")
    path = tmp_path / "channels.yaml"
    path.write_text(GOOD)
    return path


def test_the_first_channel_takes_the_messages_and_all_are_opened(file: Path) -> None:
    settings = load_settings(channels_file=file)
    assert channel_of(settings) == "sms"
    hooks = open_channels(settings)
    assert list(hooks) == ["log", "sms", "post"]
    for hook in hooks.values():
        hook.close()


def test_paths_start_at_the_folder_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir("/")
    assert read_channels(file)["sms"][1]["secret_file"] == str(tmp_path / "secret")


def test_each_channel_says_what_it_needs_to_know_of_a_person(file: Path, tmp_path: Path) -> None:
    with file.open("a") as more:
        more.write('app: {hook: http_map, address: user, url: "http://app/", fields: {u: "{to}"}}\n')
        more.write("group: {hook: wecom, url_file: secret}\n")
    settings = load_settings(channels_file=file, gateway_url="http://gateway/")
    assert address_kinds(settings) == {
        "log": "phone", "http": "phone", "sms": "phone", "post": "email", "app": "user", "group": "room",
    }  # fmt: skip
    assert "address" not in read_channels(file)["app"][1]
    assert address_kinds(load_settings(data=tmp_path)) == {"log": "phone"}


def test_without_a_file_the_gateway_or_the_log_takes_them(tmp_path: Path) -> None:
    assert channel_of(load_settings(data=tmp_path)) == "log"
    assert list(open_channels(load_settings(data=tmp_path))) == ["log"]
    (tmp_path / "secret").write_text("s")
    settings = load_settings(gateway_url="http://gateway/", gateway_secret_file=tmp_path / "secret")
    assert channel_of(settings) == "http"
    hooks = open_channels(settings)
    assert list(hooks) == ["log", "http"]
    hooks["http"].close()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a: [", "channels.yaml:"),
        ("", "expected channels"),
        ("- a", "expected channels"),
        ("sms: {}", "channel sms: which hook"),
        (
            "sms: {hook: email, host: h, sender: a@b, address: pigeon}",
            "channel sms: address: expected one of phone, email",
        ),
        ("sms: {hook: pigeon}", "channel sms: no hook is called 'pigeon'"),
        ("sms: {hook: email, host: h, sender: a@b, colour: red}", "channel sms: hook email: colour"),
        ("sms: {hook: wecom, url: 'ftp://very-secret'}", "channel sms"),
        ("log: {hook: wecom}", "channel log: this name is taken"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=names) as caught:
        open_channels(load_settings(channels_file=path))
    assert "very-secret" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: cannot be read"):
        channel_of(load_settings(channels_file=tmp_path / "nowhere.yaml"))


RECEIVING = """\
sms: {hook: http_map, url: "http://gateway/send", secret_file: secret, fields: {to: "{to}", s: "{secret}"}}
pushed:
  hook: http_map
  url: http://gateway/send
  fields: {to: "{to}"}
  pushes: {token_file: secret, id: id, code: code, delivered: [ok]}
broken: {hook: http_map, url: "http://gateway/send", secret_file: gone, fields: {to: "{to}"}}
post: {hook: email, host: mail.example, sender: mingjing@gov.example}
"""


def test_only_what_receives_is_opened_for_pushes_and_what_cannot_be_is_said(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(RECEIVING)
    hooks = open_receiving(load_settings(channels_file=file))
    assert list(hooks) == ["pushed"]
    hooks["pushed"].close()
    assert [record.args[0] for record in caplog.records if record.args] == ["broken"]
    assert open_receiving(load_settings(gateway_url="http://gateway/")) == {}


@pytest.mark.parametrize(
    ("messages", "lacks", "key"),
    [
        ({"red": ["handler"]}, "digest.flood", "messages.flood"),
        ({"flood": None}, "digest.group", "messages.group"),
        ({"flood": None, "red": ["handler"]}, None, None),
        ({"flood": None, "red": [], "digest": {"at": "17:30"}}, "digest.daily", "messages.digest"),
        (
            {"flood": None, "red": [], "routes": [{"id": "r", "to": ["handler"], "remind_every": 30}]},
            "finding.again",
            "messages.routes.r.remind_every",
        ),
        (
            {"flood": None, "red": [], "routes": [{"id": "r", "to": ["p4"], "channels": ["post"]}]},
            "digest.group",
            "messages",
        ),
        ({"channels": ["post"]}, None, None),
    ],
)
def test_a_template_that_a_centre_can_send_and_the_provider_does_not_know_is_named_at_the_start(
    file: Path, messages: dict[str, Any], lacks: str | None, key: str | None
) -> None:
    templates = ", ".join(f"{name}: {{id: S1, values: [level]}}" for name in sorted(ALWAYS))
    aliyun = f"sms: {{hook: aliyun, access_key_id: A, secret: s, sign_name: x, templates: {{{templates}}}}}\n"
    file.write_text(aliyun + GOOD.splitlines()[1] + "\n")
    settings, centre = load_settings(channels_file=file), make_centre(**messages)
    for hook in open_channels(settings).values():
        hook.close()
    if lacks is None:
        check_templates(settings, [centre])
        return
    with pytest.raises(SettingsError) as caught:
        check_templates(settings, [centre])
    assert (
        f"channel sms: templates: {lacks} is missing; centre 530502 can send it ({key} of its file)"
        in str(caught.value)
    )


def test_without_a_file_no_template_is_missing(tmp_path: Path) -> None:
    check_templates(load_settings(data=tmp_path), [make_centre()])
