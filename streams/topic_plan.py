"""How the topics should be made on Kafka: partitions, copies and settings by the size of the place, and why.

A province, as reckoned with here: 145 centres, 9,000 windows, 600 observations a second all day, half a million cases a day
with some ten events each, which is 175 events a second over eight office hours and ten times that in the first one.
One worker stores a few thousand a second, so a handful is enough, with as many again for catching up after a day off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.errors import SettingsError
from streams.topics import CASE_EVENTS, OBSERVATIONS, REJECTED_LINES, TOPICS

_DAY_MS = 86_400_000

#: Days a record stays. Events: the longest anyone is away (a holiday of seven days, a fortnight of repairs) and more;
#: a province has 0.2 GB (500 to a batch) to 1.5 GB (one by one) of them a day and copy. Observations: the holiday and three
#: days; 137 bytes each on disk (measured, 20 to a batch, twelve partitions) make 7 GB a day and copy of a province.
RETENTION_DAYS = {CASE_EVENTS: 30, OBSERVATIONS: 10, REJECTED_LINES: 30}

#: A line has at most 1 MB, gets its time of receipt here, and is compressed on its way: half of this would do.
MAX_MESSAGE = 2_097_152


@dataclass(frozen=True, slots=True)
class Tier:
    """One size of place.

    Attributes:
        partitions: of each topic; no more workers than this can share the work. Divisible by many numbers of workers, and
            enough for years: raising it later moves keys to other partitions.
        replication: brokers that hold each record; with three, one may die and writing goes on with two.
    """

    partitions: int
    replication: int
    reason: str


TIERS: dict[str, Tier] = {
    "one": Tier(4, 1, "one machine, one broker; as the local log has it"),
    "county": Tier(6, 1, "one broker; up to 300 windows, 20 observations a second; one worker, two while catching up"),
    "prefecture": Tier(12, 3, "three brokers; up to 2,000 windows, 130 observations a second; two workers, four while catching up"),
    "province": Tier(
        24, 3, "three brokers; 9,000 windows, 600 observations a second, 500,000 cases a day; three to eight workers"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it should be."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as it is."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be, and how to mend it."""

    topic: str
    what: str
    found: str
    wanted: str
    mend: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} is {self.found}, not {self.wanted}; {self.mend}"


def plan_topics(
    tier: str | None = None, *, partitions: int, replication: int, prefix: str = ""
) -> list[TopicPlan]:
    """The topics of a system.

    Args:
        tier: decides both numbers if given.

    Raises:
        SettingsError: there is no such tier.
    """
    if tier is not None:
        if tier not in TIERS:
            raise SettingsError(f"--tier {tier}: there are {', '.join(TIERS)}")
        partitions, replication = TIERS[tier].partitions, TIERS[tier].replication
    return [
        TopicPlan(prefix + topic, partitions, replication, _settings(topic, replication)) for topic in TOPICS
    ]


def _settings(topic: str, replication: int) -> dict[str, str]:
    return {
        # Two events of a case are two facts: compaction would keep the newer and lose the older.
        "cleanup.policy": "delete",
        "retention.ms": str(RETENTION_DAYS[topic] * _DAY_MS),
        "retention.bytes": "-1",
        # What is old goes a day later, not when a gigabyte is full.
        "segment.ms": str(_DAY_MS),
        # Retention counts from the arrival here: a sender with a wrong clock would else be dropped unread, or never.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_MESSAGE),
        "compression.type": "producer",
        # With three copies one broker may be away; an acknowledged record is then on two disks at least.
        "min.insync.replicas": str(2 if replication >= 3 else 1),
        "unclean.leader.election.enable": "false",
    }


def compare(plan: TopicPlan, found: TopicState, servers: Sequence[str]) -> Iterator[Difference]:
    """What differs. More partitions or more copies than planned are no fault.

    Args:
        servers: for the commands that mend.
    """
    name = plan.name
    if found.partitions < plan.partitions:
        mend = "`mingjing topics create --raise-partitions` raises them (read its warning first)"
        yield Difference(name, "partitions", str(found.partitions), str(plan.partitions), mend)
    if found.replication < plan.replication:
        mend = "kafka-reassign-partitions.sh gives the partitions more replicas"
        yield Difference(name, "replication", str(found.replication), str(plan.replication), mend)
    wrong = {key: value for key, value in plan.settings.items() if found.settings.get(key) != value}
    for key, value in wrong.items():
        mend = (
            f"kafka-configs.sh --bootstrap-server {servers[0]} --alter --entity-type topics --entity-name {name}"
            f" --add-config {key}={value}"
        )
        yield Difference(name, key, found.settings.get(key, "not set"), value, mend)
