"""Whether Kafka lets us in and has our topic, each answered in one sentence.

aiokafka says "unable to bootstrap" to a wrong password and waits 40 s for a topic that does not exist; asked here first,
both are known at once. Nothing asked here makes a topic, whatever the brokers would allow.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from yarl import URL

from domain.errors import LogError, LogRefusedError, SettingsError
from streams.kafka_security import VARIABLE, KafkaSecurity

#: Seconds one broker is given to answer.
ANSWER_SECONDS = 5.0
#: How a TLS alert reads to a client that expects a Kafka frame's length.
_TLS_ALERT = range(0x15030000, 0x15030400)


def kafka_servers(broker_url: str) -> list[str]:
    """``host:port`` of each broker in a Faust address.

    Raises:
        SettingsError: not a Kafka address.
    """
    servers: list[str] = []
    for part in broker_url.split(";"):
        url = URL(f"kafka://{part}" if servers and "://" not in part else part)
        if url.scheme not in ("kafka", "aiokafka", "confluent") or not url.host or url.user or url.password:
            shown = broker_url if "@" not in broker_url else "(with a user in it)"
            raise SettingsError(f"broker '{shown}': expected local:///path/log.db or kafka://host:9092")
        host = f"[{url.host}]" if ":" in url.host else url.host
        servers.append(f"{host}:{url.port or 9092}")
    return servers


async def knock(servers: Sequence[str], security: KafkaSecurity, *, timeout: float = ANSWER_SECONDS) -> None:
    """Returns when one of the brokers has answered as it would answer any client.

    Args:
        timeout: seconds for each broker.

    Raises:
        LogRefusedError: a broker is there and refuses, with the variable that decides it.
        LogError: no broker answers.
        SettingsError: a file of the security cannot be used.
    """
    options = security.client_options()
    reasons: list[str] = []
    for server in servers:
        try:
            async with asyncio.timeout(timeout):
                await _ask(server, options, timeout)
            return
        except Exception as error:
            refusal = _refusal(error, security)
            if refusal is not None:
                raise LogRefusedError(f"Kafka at {server} {refusal}") from error
            reasons.append(f"{server} ({_brief(error)})")
    raise LogError(f"no broker of Kafka answers: {', '.join(reasons)}")


async def _ask(server: str, options: dict[str, Any], timeout: float) -> None:
    from aiokafka.conn import create_conn
    from aiokafka.protocol.metadata import MetadataRequest

    host, _, port = server.rpartition(":")
    connection = await create_conn(
        host.strip("[]"), int(port), request_timeout_ms=int(timeout * 1000), **options
    )
    try:
        await connection.send(MetadataRequest([], allow_auto_topic_creation=False))
    finally:
        closed = connection.close()
        if closed is not None:
            await closed


def _refusal(error: BaseException, security: KafkaSecurity) -> str | None:
    """Why the broker refuses us; None if it is merely away."""
    from aiokafka import errors

    how = f"{VARIABLE}SECURITY={security.protocol}"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or str(error)
        if "mismatch" in why or "not valid for" in why:
            return f"shows a certificate that was made out to another host ({why})"
        return f"shows a certificate that {VARIABLE}CA_FILE does not vouch for ({why})"
    if isinstance(error, ssl.SSLError) or (security.tls and isinstance(error, ConnectionResetError)):
        return f"does not speak TLS there, or refuses our certificate; {how} expects TLS ({_brief(error)})"
    if isinstance(error, (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)):
        return (
            f"does not know user '{security.username}' ({VARIABLE}USERNAME) with the password of"
            f" {security.password_file} ({VARIABLE}PASSWORD_FILE)"
        )
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return f"does not offer {VARIABLE}SASL_MECHANISM={security.mechanism or 'SCRAM-SHA-512'}"
    if isinstance(error, errors.IllegalSaslStateError):
        return f"asks for no password there, but {how}"
    if isinstance(error, errors.KafkaConnectionError):
        cause = error.__cause__
        if isinstance(cause, ssl.SSLError):
            ours = "does not accept" if security.certificate_file else "asks for a certificate of ours:"
            return f"{ours} {VARIABLE}CERTIFICATE_FILE ({_brief(cause)})"
        if isinstance(cause, asyncio.IncompleteReadError):
            if cause.expected in _TLS_ALERT:
                return f"speaks TLS, but {how}"
            if not security.sasl:
                return f"ends the connection at once, as a listener that asks for a password or TLS does to {how}"
    return None


def _brief(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__


async def require_topics(client: Any, topics: Sequence[str]) -> None:
    """Returns if all topics are there and we may see them.

    Args:
        client: an aiokafka client that is started.

    Raises:
        LogRefusedError: naming the first that is missing, misnamed or forbidden.
        KafkaError: the broker that was asked did not answer.
    """
    from aiokafka.errors import for_code
    from aiokafka.protocol.metadata import MetadataRequest

    request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
    answer = await client.send(client.get_random_node(), request)
    for code, topic, *_ in answer.topics:
        sentence = topic_refusal(for_code(code)(), topic)
        if sentence:
            raise LogRefusedError(sentence)


def topic_refusal(error: BaseException, topic: str) -> str | None:
    """What stands against writing to or reading from a topic for good; None where trying again may help."""
    from aiokafka import errors

    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return f"Kafka has no topic '{topic}': `mingjing topics create` makes it"
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return f"Kafka does not let {VARIABLE}USERNAME use topic '{topic}': it needs the rights Describe, Read and Write"
    if isinstance(error, errors.ClusterAuthorizationFailedError):
        return f"Kafka does not let {VARIABLE}USERNAME write to any topic: it needs the right Write"
    if isinstance(error, errors.InvalidTopicError):
        return f"'{topic}' is no name for a topic of Kafka (MINGJING_TOPIC_PREFIX)"
    return None
