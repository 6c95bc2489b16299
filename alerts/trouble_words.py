"""What is said of trouble with the system itself: what it is, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: Kind of a trouble → what is wrong, what to do.
WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "zh-CN": {
        "channel_off": (
            "通道{about}被服务商拒绝，已停用（{error}）",
            "请核对密钥、余额、签名，再执行mingjing alerts channels on {about}",
        ),
        "channel_failing": ("通道{about}持续失败，{count}条已改走其他通道", "请检查通道{about}的网关"),
        "waiting": ("通道{about}有信息已等待{minutes}分钟未发出", "请检查发送进程与网关"),
        "given_up": ("一小时内{count}条信息未能发出", "请执行mingjing messages dead查看原因"),
        "not_arriving": (
            "通道{about}一天内{total}条信息中{count}条未送达或情况不明",
            "请核对号码与回执地址",
        ),
        "no_receipts": ("通道{about}一天内{count}条信息均无回执", "请核对在服务商处登记的回执地址"),
        "unmatched": ("通道{about}一小时内{count}条回执对不上任何信息", "请检查是否有其他系统共用此账号"),
        "silent": ("{role}进程已{minutes}分钟无心跳", "请查看日志并重启该进程"),
        "held_overdue": ("{count}条暂缓的信息逾期未发", "请检查规则研判进程"),
    },
    "en": {
        "channel_off": (
            "channel {about} is refused by its provider and switched off ({error})",
            "Look at key, balance, signature; then: mingjing alerts channels on {about}",
        ),
        "channel_failing": (
            "channel {about} fails and fails: {count} messages went another way",
            "Look at the gateway of {about}",
        ),
        "waiting": (
            "a message has waited for channel {about} for {minutes} minutes",
            "Look at the sender and the gateway",
        ),
        "given_up": ("{count} messages were given up within an hour", "See: mingjing messages dead"),
        "not_arriving": (
            "{count} of {total} messages of a day by {about} have not arrived, or nobody knows",
            "Look at the numbers, and at the address for receipts",
        ),
        "no_receipts": (
            "no receipt of any of {count} messages of a day by {about}",
            "Look at the address for receipts that the provider has",
        ),
        "unmatched": (
            "{count} receipts within an hour by {about} belong to nothing of ours",
            "Does another system use this account?",
        ),
        "silent": ("no sign of life of the {role} for {minutes} minutes", "See its log and restart it"),
        "held_overdue": ("{count} messages held back are overdue", "Look at the rule loop"),
    },
}

ROLES = {
    "zh-CN": {"sender": "信息发送", "rules": "规则研判", "worker": "数据处理"},
    "en": {"sender": "sender", "rules": "rule loop", "worker": "worker"},
}


def trouble_words(
    kind: str, about: str, values: Mapping[str, Any], language: str, clean: Callable[[str], str] = str
) -> dict[str, str]:
    """``what`` is wrong and how to ``act``.

    Raises:
        KeyError: no such trouble, or one of its values is missing.
    """
    what, act = WORDS[language][kind]
    given = {name: clean(str(value)) for name, value in values.items()}
    given |= {"about": clean(about), "role": ROLES[language].get(about, clean(about))}
    return {"what": what.format(**given), "act": act.format(**given)}
