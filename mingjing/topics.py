"""``mingjing topics``: the topics on Kafka as they are, as they should be, and making them.

Exit status: 0 the topics are there (``check``: and as they should be) · 3 ``check`` found something missing or different · 2 a
setting is wrong or Kafka refuses us · 1 Kafka does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.kafka_admin import KafkaAdmin
    from streams.topic_plan import TopicPlan

#: As for refused lines elsewhere: the command did its work, and not all is well.
DIFFERS = 3

app = typer.Typer(
    help="主题 · The topics on Kafka: create, list, check. The local log needs none of it.",
    rich_markup_mode=None,
)

TierOption = Annotated[
    str | None,
    typer.Option(
        "--tier", help="规模 · size of the place: one, county, prefecture, province", show_default=False
    ),
]
PartitionsOption = Annotated[
    int | None,
    typer.Option(
        "--partitions", min=1, max=1024, help="分区数 · default: MINGJING_PARTITIONS", show_default=False
    ),
]
ReplicationOption = Annotated[
    int | None,
    typer.Option("--replication", min=1, max=9, help="副本数 · default: MINGJING_REPLICATION", show_default=False),
]  # fmt: skip


@app.command("create")
def create_command(
    tier: TierOption = None,
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    raise_partitions: Annotated[
        bool, typer.Option("--raise-partitions", help="增加分区 · add partitions to topics with too few")
    ] = False,
) -> None:
    """建立缺少的主题 · Makes what is missing, says what differs; changes nothing else. May be run again at any time."""

    async def work(admin: KafkaAdmin, plans: list[TopicPlan]) -> int:
        found = await admin.topics(plan.name for plan in plans)
        missing = [plan for plan in plans if plan.name not in found]
        if missing:
            await admin.create(missing)
        for plan in missing:
            typer.echo(f"+ {plan.name}: made, {plan.partitions} partitions × {plan.replication} copies")
        for plan in plans:
            if raise_partitions and plan.name in found and found[plan.name].partitions < plan.partitions:
                _warn_of_moving_keys(plan.name, found[plan.name].partitions, plan.partitions)
                await admin.raise_partitions(plan.name, plan.partitions)
        # What differs may be meant so; it is said, and is not in the way of a start.
        await _compare(admin, plans, quiet={plan.name for plan in missing})
        return 0

    _with_kafka(tier, partitions, replication, work)


@app.command("check")
def check_command(
    tier: TierOption = None, partitions: PartitionsOption = None, replication: ReplicationOption = None
) -> None:
    """核对主题 · Says what is missing and what differs, and how to mend it; changes nothing."""

    async def work(admin: KafkaAdmin, plans: list[TopicPlan]) -> int:
        return await _compare(admin, plans)

    _with_kafka(tier, partitions, replication, work)


@app.command("list")
def list_command() -> None:
    """列出主题 · The topics of this system as they are."""

    async def work(admin: KafkaAdmin, plans: list[TopicPlan]) -> int:
        found = await admin.topics(plan.name for plan in plans)
        for plan in plans:
            state = found.get(plan.name)
            if state is None:
                typer.echo(f"- {plan.name}: missing")
                continue
            typer.echo(f"  {state.name}: {state.partitions} partitions × {state.replication} copies")
            for key in plan.settings:
                typer.echo(f"      {key}={state.settings.get(key, '?')}")
        return 0

    _with_kafka(None, None, None, work)


def _with_kafka(
    tier: str | None,
    partitions: int | None,
    replication: int | None,
    work: Callable[[KafkaAdmin, list[TopicPlan]], Any],
) -> None:
    from streams.kafka_access import kafka_servers
    from streams.kafka_admin import KafkaAdmin
    from streams.settings import load_stream_settings
    from streams.topic_plan import plan_topics

    settings = load_stream_settings()
    plans = plan_topics(
        tier,
        partitions=partitions or settings.partitions,
        replication=replication or settings.replication,
        prefix=settings.topic_prefix,
    )
    if settings.broker_url.startswith("local:"):
        typer.echo(
            "本地日志自行建立主题，无需操作 · The local log makes its topics itself: nothing needs to be done"
        )
        return

    async def run() -> int:
        async with KafkaAdmin(kafka_servers(settings.broker_url), settings.kafka) as admin:
            return int(await work(admin, plans))

    status = asyncio.run(run())
    if status:
        raise typer.Exit(status)


async def _compare(
    admin: KafkaAdmin, plans: list[TopicPlan], *, quiet: frozenset[str] | set[str] = frozenset()
) -> int:
    """Prints what is there and what differs; the exit status."""
    from streams.topic_plan import compare

    found = await admin.topics(plan.name for plan in plans)
    wrong = 0
    for plan in plans:
        state = found.get(plan.name)
        if state is None:
            typer.echo(f"✗ {plan.name}: missing; `mingjing topics create` makes it")
            wrong += 1
            continue
        differences = list(compare(plan, state, admin.servers))
        for difference in differences:
            typer.echo(f"✗ {difference}")
        wrong += len(differences)
        if not differences and plan.name not in quiet:
            typer.echo(f"✓ {plan.name}: {state.partitions} partitions × {state.replication} copies")
    for broker, values in sorted((await admin.broker_settings()).items()):
        # Who runs the brokers may be somebody else: to be known, but not in the way of a start.
        for remark in _remarks(values, plans):
            typer.echo(f"· broker {broker}: {remark}")
    return DIFFERS if wrong else 0


def _remarks(values: dict[str, str], plans: list[TopicPlan]) -> Iterator[str]:
    """What of a broker's own settings may surprise."""
    from streams.topic_plan import RETENTION_DAYS

    if values.get("auto.create.topics.enable") == "true":
        yield "auto.create.topics.enable is true: another program's slip in a name makes a topic; false is better"
    name, copies = "offsets.topic.replication.factor", max(plan.replication for plan in plans)
    if int(values.get(name, copies)) < copies:
        yield f"{name} is {values[name]}, not {copies}: with that broker goes the workers' place in the log"
    name, wanted = "offsets.retention.minutes", max(RETENTION_DAYS.values()) * 1440
    if int(values.get(name, wanted)) < wanted:
        yield (
            f"{name} is {values[name]}, not {wanted}: a worker that was off for longer reads all again"
            " (nothing counts twice, but it takes its time)"
        )


def _warn_of_moving_keys(name: str, found: int, wanted: int) -> None:
    typer.echo(
        f"! {name}: from {found} to {wanted} partitions. From now on keys lie in other partitions: what a case has"
        " waiting in its old one may be read after what comes now. Findings do not depend on the order, but until the"
        " worker has caught up a card may be opened and revoked again. Best done when the worker has nothing to catch up."
    )
