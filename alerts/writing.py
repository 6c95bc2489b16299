"""A leased message as its hook takes it, and as a log may speak of it."""

from __future__ import annotations

from alerts.leases import Leased
from alerts.links import AckLinks
from alerts.messages import Outgoing, message_values, render_text
from domain.errors import SendError


def write(message: Leased, links: AckLinks, language: str) -> Outgoing:
    """Template, values and text of a message; the same at every try.

    Raises:
        SendError: permanent; it cannot be written.
    """
    params, key = message.params, message.idempotency_key
    link = links.link(key) if message.has_ack else None
    try:
        values = message_values(message.template, params, language, link=link, now=message.created_at)
        text = render_text(message.template, values, language)
    except (KeyError, ValueError, TypeError) as error:
        raise SendError(f"message cannot be written ({error!r})", permanent=True) from None
    facts = {
        name: str(params[name]) for name in ("rule", "severity", "window", "case", "step") if params.get(name)
    }
    return Outgoing(
        idempotency_key=key,
        to=message.phone,
        template=message.template,
        values=values,
        text=text,
        created_at=str(params.get("written_at") or message.created_at.isoformat()),
        language=language,
        facts=facts | {"finding": message.finding_id or ""},
    )


def about(message: Leased, **more: str) -> dict[str, object]:
    """What a log line is about; neither number nor name of the person."""
    params = {name: message.params.get(name) for name in ("rule", "severity", "case", "window")}
    return {
        "message_id": message.message_id,
        "finding_id": message.finding_id,
        "channel": message.channel,
        "template": message.template,
        **params,
        **more,
    }
