"""Settings of every process: environment variables ``MINGJING_*``, with defaults that need nothing installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from domain.errors import SettingsError
from streams.kafka_security import KafkaSettings, refuse_secret_in
from streams.naming import NameSettings, instance_name

PREFIX = "MINGJING_"


class Settings(KafkaSettings, NameSettings):
    """What one process of the system needs to know; the same for all of them.

    Secrets are never values here but names of files (``*_file``), except a password inside ``database``, which
    is kept out of every text form.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "mingjing")
    broker: str = Field(
        "", description="local:///path/log.db or kafka://host:9092; default: local, in the data folder"
    )
    database: SecretStr = Field(
        SecretStr(""), description="libpq address; default: the embedded server in the data folder"
    )
    database_password_file: Path | None = Field(
        None, description="file with the password for the address above"
    )
    keep_observations: int = Field(35, ge=8, description="days for which each observation is kept")
    keep_minutes: int = Field(90, ge=8, description="days for which presence is kept minute by minute")
    keep_metrics: int = Field(400, ge=8, description="days for which metrics are kept")
    keep_events: int | None = Field(
        None, ge=366, description="days for which events are kept; empty: for ever"
    )
    pictures: Path | None = Field(
        None, description="folder of the cameras' loop; default: pictures in the data folder"
    )
    keep_pictures: int = Field(30, ge=1, le=3660, description="days for which the cameras' loop is kept")
    pictures_limit_gb: float | None = Field(
        None, gt=0, description="most that the loop may take (10^9 bytes); empty: all but 5% of the disk"
    )
    keep_revoked_pictures: int = Field(
        185, ge=1, description="days for which pictures of a revoked finding are kept"
    )
    keep_evidence_pictures: int | None = Field(
        None,
        ge=1,
        description="days for which pictures are kept after a finding's life; empty: as long as it",
    )
    centre: Path | None = Field(
        None, description="the centre file, or a folder of them; default: centre.yaml in the data folder"
    )
    clock: str = "real"
    models: Path | None = Field(
        None, description="folder of detector models; default: models in the data folder"
    )
    model: str | None = Field(None, description="the one detector model to use; default: the first there is")
    api_keys_file: Path | None = None
    base_url: str = Field("", description="address of the wall as its readers see it, for links in messages")
    wall_host: str = "127.0.0.1"
    wall_port: int = Field(8050, ge=1, le=65535)
    door_host: str = "127.0.0.1"
    door_port: int = Field(8051, ge=1, le=65535)
    gateway_url: str = Field(
        "", description="HTTP gateway for messages; empty: messages are written to the log"
    )
    gateway_query_url: str = Field(
        "", description="where the gateway says what became of a message; {key} is its key"
    )
    gateway_secret_file: Path | None = None
    channels_file: Path | None = Field(
        None, description="ways by which messages leave, each with its hook; the first takes them"
    )
    receipt_minutes: int = Field(
        30, ge=1, le=1440, description="real minutes without a receipt after which a gateway is asked"
    )
    channel_minutes: int = Field(
        15,
        ge=1,
        le=1440,
        description="real minutes a channel may fail before messages go on by their next one",
    )
    deadman_url_file: Path | None = Field(
        None,
        description="file with the address of an outside watcher that is told while the whole chain lives",
    )
    deadman_seconds: int = Field(60, ge=10, le=3600, description="real seconds between two such pings")
    ack_secret_file: Path | None = Field(
        None, description="secret of the acknowledge links; default: made in the data folder"
    )
    desk_accounts_file: Path | None = Field(
        None, description="accounts of the inspectors' desk, one a line; without it the desk is closed"
    )
    desk_trusted_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="header in which a proxy names who has signed in at it",
    )
    audit_heads: Path | None = Field(
        None, description="folder for the daily heads of the evidence chain, best on another machine"
    )
    audit_key_file: Path | None = Field(
        None, description="Ed25519 key (PEM) that signs them; without it they are not signed"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    metrics_address: str = Field(
        "",
        description="host:port of /metrics, /livez, /readyz; with + at the end each process adds its number",
    )
    metrics_token_file: Path | None = Field(
        None, description="bearer token for /metrics from other machines; without it only this one may read"
    )

    @field_validator("desk_accounts_file", "channels_file", "deadman_url_file", mode="before")
    @classmethod
    def _none_given(cls, path: Any) -> Any:
        return path or None  # in a compose file a variable that nobody sets is there, and empty

    @field_validator(
        "data",
        "centre",
        "models",
        "pictures",
        "api_keys_file",
        "gateway_secret_file",
        "channels_file",
        "ack_secret_file",
        "deadman_url_file",
        "desk_accounts_file",
        "audit_heads",
        "audit_key_file",
        "database_password_file",
        "metrics_token_file",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().resolve() if path is not None else None

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("local", "kafka", "aiokafka"):
            raise ValueError("expected local:///path/log.db or kafka://host:9092")
        if not value.startswith("local:"):
            refuse_secret_in(value)
        return value

    @field_validator("metrics_address")
    @classmethod
    def _possible_address(cls, value: str) -> str:
        if value:
            from mingjing.health import Address

            return str(Address.parse(value))
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @property
    def broker_url(self) -> str:
        if self.broker:
            return self.broker
        from streams.local_transport import make_address  # knows how to write any path as an address

        return make_address(self.data / "log.db")

    @property
    def instance_name(self) -> str:
        return instance_name(self.instance, self.broker_url)

    @property
    def embedded_database(self) -> bool:
        return not self.database.get_secret_value()

    @property
    def database_address(self) -> str:
        """The address with the password of the file put in; empty for the embedded server.

        Raises:
            SettingsError: the file cannot be read, or the address is none.
        """
        address = self.database.get_secret_value()
        if not address or self.database_password_file is None:
            return address
        from psycopg import ProgrammingError
        from psycopg.conninfo import make_conninfo

        try:
            return make_conninfo(address, password=self.database_password_file.read_text("utf-8").strip())
        except OSError as error:
            raise SettingsError(
                f"{PREFIX}DATABASE_PASSWORD_FILE: {error.filename}: {error.strerror}"
            ) from None
        except ProgrammingError:
            raise SettingsError(f"{PREFIX}DATABASE is not a PostgreSQL address") from None

    @property
    def ack_secret(self) -> Path:
        return self.ack_secret_file or self.data / "secrets" / "ack"

    @property
    def centre_file(self) -> Path:
        """The centre file, or the folder of several."""
        return self.centre or self.data / "centre.yaml"

    @property
    def kept_centres(self) -> Path:
        """Where the last good reading of each file of such a folder is kept."""
        return self.data / "kept-centres"

    @property
    def pictures_folder(self) -> Path:
        return self.pictures or self.data / "pictures"

    @property
    def models_folder(self) -> Path:
        return self.models or self.data / "models"

    @property
    def wall_url(self) -> str:
        return self.base_url or f"http://{_reachable(self.wall_host)}:{self.wall_port}"

    def environ(self) -> dict[str, str]:
        """The variables that give another process these settings."""
        values = {
            "data": self.data,
            "broker": self.broker_url,
            **{
                name: getattr(self, name)
                for name in (*KafkaSettings.model_fields, *NameSettings.model_fields)
            },
            "database": self.database.get_secret_value(),
            "database_password_file": self.database_password_file,
            "keep_observations": self.keep_observations,
            "keep_minutes": self.keep_minutes,
            "keep_metrics": self.keep_metrics,
            "keep_events": self.keep_events,
            "pictures": self.pictures_folder,
            "keep_pictures": self.keep_pictures,
            "pictures_limit_gb": self.pictures_limit_gb,
            "keep_revoked_pictures": self.keep_revoked_pictures,
            "keep_evidence_pictures": self.keep_evidence_pictures,
            "centre": self.centre_file,
            "clock": self.clock,
            "models": self.models_folder,
            "api_keys_file": self.api_keys_file,
            "base_url": self.wall_url,
            "wall_host": self.wall_host,
            "wall_port": self.wall_port,
            "door_host": self.door_host,
            "door_port": self.door_port,
            "gateway_url": self.gateway_url,
            "gateway_query_url": self.gateway_query_url,
            "gateway_secret_file": self.gateway_secret_file,
            "channels_file": self.channels_file,
            "receipt_minutes": self.receipt_minutes,
            "channel_minutes": self.channel_minutes,
            "deadman_url_file": self.deadman_url_file,
            "deadman_seconds": self.deadman_seconds,
            "ack_secret_file": self.ack_secret,
            "desk_accounts_file": self.desk_accounts_file,
            "desk_trusted_header": self.desk_trusted_header,
            "audit_heads": self.audit_heads,
            "audit_key_file": self.audit_key_file,
            "log_level": self.log_level,
            "log_format": self.log_format,
            "metrics_address": self.metrics_address,
            "metrics_token_file": self.metrics_token_file,
        }
        return {
            PREFIX + name.upper(): str(value) for name, value in values.items() if value not in (None, "")
        }


def _reachable(host: str) -> str:
    """A host a browser can be sent to: the wildcard addresses are none."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; overrides (from options) win, None means "not given".

    Raises:
        SettingsError: naming the first variable whose value cannot be used.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + ".".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
