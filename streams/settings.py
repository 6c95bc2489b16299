"""Settings of the Faust application, from the environment variables every process of the system gets."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from domain.errors import SettingsError
from store.embedded import dsn_for
from streams.kafka_security import KafkaSettings, refuse_secret_in
from streams.local_transport import make_address, parse_address
from streams.naming import NameSettings, instance_name

PREFIX = "MINGJING_"


class StreamSettings(KafkaSettings, NameSettings):
    """What the worker needs to know. Defaults are the embedded ones, so that nothing has to be set.

    ``partitions`` counts for topics that do not exist yet; ``batch_wait`` is in seconds.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "mingjing")
    broker: str = ""
    database: SecretStr = SecretStr("")
    database_password_file: Path | None = None
    centre: Path | None = None
    clock: str = "real"
    group: str = Field(default="mingjing", min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    partitions: int = Field(default=4, ge=1, le=1024)
    replication: int = Field(
        default=1, ge=1, description="of topics on Kafka; 3 where there are three brokers"
    )
    declare_topics: bool = Field(default=True, description="False where operations make the topics")
    session_timeout: float = Field(
        default=30,
        ge=0.5,
        le=90,
        description="seconds without a sign of a worker after which Kafka gives its partitions to the others",
    )
    max_poll_interval: float = Field(
        default=300, ge=1, description="seconds without reading after which a worker counts as stuck"
    )
    batch_size: int = Field(default=500, ge=1, le=10_000)
    batch_wait: float = Field(default=0.05, gt=0, le=5)

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value.startswith("local:"):
            parse_address(value)
        elif value and not value.startswith(("kafka://", "aiokafka://", "confluent://")):
            raise ValueError("expected local:///absolute/path/log.db or kafka://host:9092")
        else:
            refuse_secret_in(value)
        return value

    @property
    def broker_url(self) -> str:
        return self.broker or make_address(self.data / "log.db")

    @property
    def group_id(self) -> str:
        """The consumer group: two systems with different prefixes never share one, whose members would be mixed up."""
        return self.topic_prefix + self.group

    @property
    def instance_name(self) -> str:
        return instance_name(self.instance, self.broker_url)

    @property
    def dsn(self) -> str:
        """The libpq address, with the password if that lies in a file.

        Raises:
            SettingsError: the address or the file cannot be used.
        """
        address = self.database.get_secret_value()
        try:
            conninfo_to_dict(address)
            if not address or self.database_password_file is None:
                return address or dsn_for(self.data)
            return make_conninfo(address, password=self.database_password_file.read_text("utf-8").strip())
        except psycopg.ProgrammingError:
            raise SettingsError("MINGJING_DATABASE is not a PostgreSQL address") from None
        except OSError as error:
            raise SettingsError(
                f"MINGJING_DATABASE_PASSWORD_FILE: {self.database_password_file}: {error.strerror}"
            ) from None

    @property
    def centre_file(self) -> Path:
        """The centre file, or the folder of several."""
        return self.centre or self.data / "centre.yaml"

    @property
    def kept_centres(self) -> Path:
        """Where the last good reading of each file of such a folder is kept."""
        return self.data / "kept-centres"


def load_stream_settings() -> StreamSettings:
    """Settings from ``MINGJING_*``.

    Raises:
        SettingsError: naming the first variable whose value cannot be used.
    """
    try:
        return StreamSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + ".".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
