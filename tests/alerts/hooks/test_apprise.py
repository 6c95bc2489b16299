from __future__ import annotations

import sys

import pytest

from alerts.hooks import UnclearSendError, open_hook
from alerts.hooks.http_json.gateway import Behaviour
from domain.errors import SettingsError
from tests.alerts.hooks.messages import message

pytest.importorskip("apprise", reason="the extra 'apprise' is not installed")

from alerts.hooks.apprise.fake import FakeService


def test_the_text_is_handed_over_to_the_recipients_own_address() -> None:
    with FakeService() as service:
        service.hook().send(message(to="a b/c"))
    ((path, said),) = service.taken
    assert path.startswith("/a b%2Fc") or path.startswith("/a b/c")
    assert said["message"] == message().text
    assert said["title"].startswith("红牌")


@pytest.mark.parametrize("how", [Behaviour("status", status=500), Behaviour("cut")])
def test_a_no_is_unclear(how: Behaviour) -> None:
    with FakeService() as service:
        service.will(how)
        with pytest.raises(UnclearSendError):
            service.hook().send(message())


def test_bad_settings_are_named_and_the_address_never_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="url_file"):
        open_hook("apprise", {})
    with pytest.raises(SettingsError, match="no address") as caught:
        open_hook("apprise", {"url": "pigeon-secret"})
    assert "secret" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"mingjing\[apprise\]"):
        open_hook("apprise", {"url": "json://x"})
