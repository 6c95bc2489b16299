"""The event log: the local file, or Kafka's topics against the plan."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from domain.errors import LogError, MingjingError, SettingsError
from mingjing.doctor.report import Result, fault, ok, warning
from mingjing.doctor.scene import Scene


def event_log(scene: Scene) -> Iterator[Result]:
    if scene.settings.broker_url.startswith("local:"):
        yield from _local(scene)
        return
    try:
        yield from asyncio.run(_kafka(scene))
    except (LogError, SettingsError) as error:
        yield fault(
            "log.kafka",
            "Kafka 无法使用",
            str(error),
            "MINGJING_BROKER、MINGJING_KAFKA_*；mingjing topics check",
        )


def _local(scene: Scene) -> Iterator[Result]:
    from streams.local_transport import parse_address

    path = Path(parse_address(scene.settings.broker_url).path)
    if not path.exists():
        yield ok("log.local", f"{path} 将在启动时建立", f"{path} will be made")
    elif not os.access(path, os.R_OK | os.W_OK):
        yield fault("log.local", f"{path} 不可写", f"{path} cannot be written", f"chown … {path}")
    elif sentence := _moved(path):
        yield fault(
            "log.moved", f"{path} 的记录已迁移到 Kafka", sentence, "MINGJING_BROKER；mingjing move-log --undo"
        )
    else:
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        yield ok("log.local", f"{path}，{size}", f"{path}, {size}")


def _moved(path: Path) -> str | None:
    from streams.local_transport import EventLog
    from streams.local_transport.moved import Mark

    log = EventLog(path)
    try:
        return Mark(log).sentence
    finally:
        log.close()


async def _kafka(scene: Scene) -> list[Result]:
    from streams.kafka_access import kafka_servers
    from streams.kafka_admin import KafkaAdmin
    from streams.settings import load_stream_settings
    from streams.topic_plan import compare, plan_topics

    settings = load_stream_settings()
    plans = plan_topics(
        partitions=settings.partitions, replication=settings.replication, prefix=settings.topic_prefix
    )
    found: list[Result] = []
    async with KafkaAdmin(kafka_servers(scene.settings.broker_url), scene.settings.kafka) as admin:
        brokers = await admin.brokers()
        found.append(ok("log.kafka", f"{len(brokers)} 个 Kafka 节点", f"{len(brokers)} brokers of Kafka"))
        topics = await admin.topics(plan.name for plan in plans)
        for plan in plans:
            state = topics.get(plan.name)
            if state is None:
                found.append(
                    fault(
                        "log.topic",
                        f"缺少主题 {plan.name}",
                        f"topic {plan.name} is missing",
                        "mingjing topics create",
                    )
                )
                continue
            different = list(compare(plan, state, admin.servers))
            found += [
                warning(
                    "log.topic",
                    f"主题 {each.topic} 的 {each.what} 为 {each.found}，应为 {each.wanted}",
                    str(each),
                    each.mend,
                )
                for each in different
            ]
            if not different:
                said = f"{plan.name}: {state.partitions} × {state.replication}"
                found.append(ok("log.topic", said, said))
        if len(brokers) >= 3 and settings.replication < 3:
            found.append(
                warning(
                    "log.replication",
                    f"有 {len(brokers)} 个节点，但每条记录只存 {settings.replication} 份",
                    f"{len(brokers)} brokers are there, but a record lies on {settings.replication} only",
                    "MINGJING_REPLICATION=3",
                )
            )
        numbers = await admin.broker_settings()
    if any(each.get("auto.create.topics.enable") == "true" for each in numbers.values()):
        found.append(
            warning(
                "log.auto_create",
                "Kafka 会自动建立主题（分区和副本可能不对）",
                "Kafka makes topics by itself, with its own partitions and copies",
                "auto.create.topics.enable=false（broker 的 server.properties · in every broker's server.properties）",
            )
        )
    return found


def model(scene: Scene) -> Iterator[Result]:
    """A person detector, where cameras are real."""
    from mingjing.models import choose_net

    centres = list(scene.centres.values()) if scene.centres is not None else []
    real = [c for centre in centres for c in centre.cameras if not c.url.startswith("sim:")]
    wishes = {centre.presence.method for centre in centres}
    method = next((wish for wish in ("detector", "auto", "correlation") if wish in wishes), "auto")
    mend = "mingjing model list；mingjing model install …"
    try:
        choice = choose_net(method)
    except MingjingError as error:
        yield fault("model", "无可用的人员识别模型", str(error), mend)
        return
    if choice.model is not None or method == "correlation":
        yield ok("model", choice.model or "不使用模型", choice.model or "none is wanted")
    elif real:
        yield warning(
            "model",
            "未安装人员识别模型，识别能力较弱",
            choice.notice or "no person detector is installed",
            mend,
        )
    else:
        yield ok(
            "model", "未安装人员识别模型（无真实摄像机）", "no person detector is installed (no real camera)"
        )


CHECKS = (event_log, model)
