"""Settings of Kafka's security: what goes together, what does not, and nothing that shows a password."""

from __future__ import annotations

import logging
import os
import re
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.errors import SettingsError
from mingjing.settings import load_settings
from streams.kafka_security import KafkaSecurity
from streams.settings import load_stream_settings
from tests.kafka.certificates import Certificates, make_certificates

PASSWORD = "hunter2 密码"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., KafkaSecurity]:
    """Sets MINGJING_KAFKA_* and reads them as a process does."""
    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)
    (tmp_path / "password").write_text(PASSWORD + "\n", "utf-8")

    def read(**variables: Any) -> KafkaSecurity:
        for name, value in variables.items():
            monkeypatch.setenv(f"MINGJING_KAFKA_{name.upper()}", str(value))
        assert load_stream_settings().kafka == load_settings().kafka
        return load_settings().kafka

    return read


def sasl(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"security": "sasl_ssl", "username": "door", "password_file": tmp_path / "password"} | more


def test_a_plain_connection_needs_nothing(given: Callable[..., KafkaSecurity]) -> None:
    assert given().client_options() == {}
    assert given().broker_credentials() is None


def test_a_password_is_read_from_its_file_and_proved_by_scram_over_tls(
    given: Callable[..., KafkaSecurity], tmp_path: Path, certificates: Certificates
) -> None:
    security = given(**sasl(tmp_path, ca_file=certificates.ca))
    options = security.client_options()
    context = options.pop("ssl_context")
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "door",
        "sasl_plain_password": PASSWORD,
    }
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    faust = security.broker_credentials()
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (faust.username, faust.password) == ("door", PASSWORD)
    assert faust.ssl_context.check_hostname
    # A changed password counts without a restart of whoever holds these settings.
    (tmp_path / "password").write_text("new")
    assert security.client_options()["sasl_plain_password"] == "new"


def test_names_are_taken_in_the_letters_kafka_writes_them(
    given: Callable[..., KafkaSecurity], tmp_path: Path
) -> None:
    security = given(**sasl(tmp_path, security="SASL_PLAINTEXT", sasl_mechanism="scram-sha-256"))
    assert (security.protocol, security.mechanism) == ("sasl_plaintext", "SCRAM-SHA-256")
    assert "ssl_context" not in security.client_options()


def test_an_empty_variable_is_none(given: Callable[..., KafkaSecurity]) -> None:
    empty = dict.fromkeys(("username", "password_file", "ca_file", "certificate_file", "key_file"), "")
    assert given(**empty, sasl_mechanism="") == KafkaSecurity()


def test_our_own_certificate_and_another_host_name(
    given: Callable[..., KafkaSecurity], certificates: Certificates
) -> None:
    files = {"certificate_file": certificates.client, "key_file": certificates.client_key}
    security = given(security="ssl", ca_file=certificates.ca, check_hostname="false", **files)
    context = security.client_options()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert security.broker_credentials().context.check_hostname is False


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"security": "tls"}, "KAFKA_SECURITY"),
        ({"security": "sasl_ssl", "sasl_mechanism": "GSSAPI"}, "KAFKA_SASL_MECHANISM"),
        ({"username": "door"}, "KAFKA_USERNAME"),
        ({"password_file": "x"}, "KAFKA_PASSWORD_FILE"),
        ({"security": "ssl", "username": "door"}, "KAFKA_USERNAME"),
        ({"security": "ssl", "sasl_mechanism": "PLAIN"}, "KAFKA_SASL_MECHANISM"),
        ({"security": "sasl_ssl"}, "KAFKA_USERNAME"),
        ({"security": "sasl_ssl", "username": "door"}, "KAFKA_PASSWORD_FILE"),
        ({"ca_file": "x"}, "KAFKA_CA_FILE"),
        ({"security": "ssl", "key_file": "x"}, "KAFKA_CERTIFICATE_FILE"),
    ],
)
def test_what_does_not_go_together_names_the_variable(
    given: Callable[..., KafkaSecurity], variables: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=f"^MINGJING_{named}") as caught:
        given(**variables)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["password_file", "ca_file", "certificate_file", "key_file"])
def test_a_file_that_cannot_be_read_names_the_variable_and_the_file(
    given: Callable[..., KafkaSecurity], tmp_path: Path, certificates: Certificates, name: str
) -> None:
    files = {"ca_file": certificates.ca, "certificate_file": certificates.client}
    files |= {"key_file": certificates.client_key, name: tmp_path / "missing"}
    security = given(**sasl(tmp_path, **files))
    with pytest.raises(SettingsError, match=f"MINGJING_KAFKA_{name.upper()}: .*missing: No such file"):
        security.client_options()


@pytest.mark.parametrize("name", ["ca_file", "certificate_file", "key_file"])
def test_a_file_of_another_kind_is_said(
    given: Callable[..., KafkaSecurity], tmp_path: Path, certificates: Certificates, name: str
) -> None:
    files = {"ca_file": certificates.ca, "certificate_file": certificates.client}
    files |= {"key_file": certificates.client_key, name: tmp_path / "password"}
    security = given(security="ssl", **files)
    with pytest.raises(SettingsError, match=r"MINGJING_KAFKA_\w+_FILE: .*PEM"):
        security.client_options()


def test_an_empty_password_is_refused(given: Callable[..., KafkaSecurity], tmp_path: Path) -> None:
    security = given(**sasl(tmp_path))
    (tmp_path / "password").write_text("\n")
    with pytest.raises(SettingsError, match=r"MINGJING_KAFKA_PASSWORD_FILE .* is empty"):
        security.client_options()


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(
    given: Callable[..., KafkaSecurity], tmp_path: Path, certificates: Certificates
) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:abcd", "-in", certificates.client_key]
    subprocess.run([*command, "-out", locked], check=True, capture_output=True)
    security = given(security="ssl", certificate_file=certificates.client, key_file=locked)
    with pytest.raises(SettingsError, match=r"MINGJING_KAFKA_KEY_FILE .*passphrase"):
        security.client_options()


def test_no_text_of_the_settings_shows_the_password(
    given: Callable[..., KafkaSecurity], tmp_path: Path
) -> None:
    security = given(**sasl(tmp_path))
    shown = [
        repr(security),
        repr(load_settings()),
        repr(load_stream_settings()),
        str(load_settings().environ()),
    ]
    shown += [repr(security.broker_credentials()), str(security.broker_credentials())]
    assert "hunter2" not in "".join(shown)


def test_at_debug_the_client_does_not_print_the_request_with_the_password(
    given: Callable[..., KafkaSecurity], tmp_path: Path
) -> None:
    connections = logging.getLogger("aiokafka.conn")
    connections.setLevel(logging.DEBUG)
    given(**sasl(tmp_path)).client_options()
    assert not connections.isEnabledFor(logging.DEBUG)


def test_an_address_with_a_password_in_it_is_refused_and_not_shown(
    given: Callable[..., KafkaSecurity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINGJING_BROKER", "kafka://me:hunter2@h:9092")
    for load in (load_settings, load_stream_settings):
        with pytest.raises(SettingsError, match=r"MINGJING_BROKER: .*MINGJING_KAFKA_PASSWORD_FILE") as caught:
            load()
        assert not re.search("hunter2|me:", str(caught.value))


def test_another_process_gets_the_same_security(
    given: Callable[..., KafkaSecurity], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    security = given(security="sasl_ssl", username="door", password_file="password", check_hostname="false")
    assert security.password_file == tmp_path / "password"
    for name, value in load_settings().environ().items():
        monkeypatch.setenv(name, value)
    assert load_settings().kafka == security
