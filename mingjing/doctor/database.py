"""The database: answers, is the right one, keeps what it promised, and what waits in it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from domain.errors import StoreError
from mingjing.doctor.report import Result, fault, ok, warning
from mingjing.doctor.scene import Scene
from store.connection import Connection
from store.migrate import OLDEST_SERVER, has_timescale, load_migrations, schema_version

#: Seconds between two clocks of one system.
SKEW_WARNING, SKEW_FAULT = 1.0, 30.0
#: A process takes one to three connections; a backup and a person at psql want some too.
FEW_CONNECTIONS = 40
OLD_BACKUP_HOURS = 36
_SETTINGS = """
select name, setting, (select setting from pg_settings where name = 'data_directory') from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'max_connections', 'server_encoding',
               'TimeZone', 'statement_timeout', 'server_version_num', 'server_version', 'timescaledb.license')
"""


def database(scene: Scene) -> Iterator[Result]:
    """Whether it answers; what it is; its schema."""
    if scene.database_is_new:
        yield ok("database", "内置数据库将在首次启动时建立", "the embedded server is made at the first start")
        return
    if scene.connection is None:
        yield from _why_not(scene)
        return
    connection, newest = scene.connection, len(load_migrations())
    settings = _settings(connection)
    kind = "TimescaleDB" if has_timescale(connection) else "PostgreSQL"
    yield ok("database", f"{kind} {settings['server_version']}", f"{kind} {settings['server_version']}")
    if int(settings["server_version_num"]) < OLDEST_SERVER:
        yield fault(
            "database.version",
            f"PostgreSQL 版本过旧：{settings['server_version']}",
            f"PostgreSQL {settings['server_version']} is too old",
            f"PostgreSQL {OLDEST_SERVER // 10000}+",
        )
    version = schema_version(connection)
    if version < newest:
        yield fault(
            "database.schema",
            f"数据库结构为第 {version} 版，应为第 {newest} 版",
            f"schema {version} of {newest}",
            "mingjing migrate",
        )
    elif version > newest:
        yield fault(
            "database.schema",
            f"数据库结构（第 {version} 版）比程序新",
            f"schema {version} is newer than this program ({newest})",
            "升级程序 · upgrade this program",
        )
    else:
        yield ok("database.schema", f"结构第 {version} 版", f"schema {version}")


def _why_not(scene: Scene) -> Iterator[Result]:
    try:
        scene.open_connection().close()
        words = "it answers now"
    except (StoreError, psycopg.Error) as error:
        words = str(error)
    mend = (
        "mingjing start …（内置数据库随系统启动 · the embedded server runs with the system）"
        if scene.settings.embedded_database
        else "MINGJING_DATABASE、MINGJING_DATABASE_PASSWORD_FILE；pg_isready"
    )
    say = warning if scene.settings.embedded_database else fault
    yield say("database", "数据库不响应", words, mend)


def _settings(connection: Connection) -> dict[str, str]:
    return {name: value for name, value, _ in connection.execute(_SETTINGS)}


def durability(scene: Scene) -> Iterator[Result]:
    """What was acknowledged must be there after a power cut."""
    if scene.connection is None:
        return
    settings = _settings(scene.connection)
    off = [
        name for name in ("fsync", "full_page_writes", "synchronous_commit") if settings.get(name) == "off"
    ]
    for name in off:
        yield fault(
            f"database.{name}",
            f"{name}=off：断电会丢失或损坏数据",
            f"{name} is off: a power cut loses or damages data",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
        )
    if not off:
        yield ok("database.durability", "断电不丢数据", "what is committed survives a power cut")


def sessions(scene: Scene) -> Iterator[Result]:
    """Encoding, what a pooler swallowed, a standby, connections."""
    connection = scene.connection
    if connection is None:
        return
    settings = _settings(connection)
    if settings["server_encoding"] != "UTF8":
        yield fault(
            "database.encoding",
            f"数据库编码为 {settings['server_encoding']}，无法存中文",
            f"the database is in {settings['server_encoding']}, not UTF8",
            "createdb --encoding=UTF8 --template=template0 …",
        )
    if settings["TimeZone"] != "UTC" or settings["statement_timeout"] == "0":
        yield fault(
            "database.session",
            "连接设置被中间件丢弃（时区、语句时限）",
            f"session settings do not arrive (time zone {settings['TimeZone']}): a pooler swallows them",
            "pgbouncer: ignore_startup_parameters 不可含 options；改为直连 · connect directly, or let options through",
        )
    row = connection.execute(
        "select pg_is_in_recovery(), current_setting('transaction_read_only')"
    ).fetchone()
    if row and (row[0] or row[1] == "on"):
        yield fault(
            "database.read_only",
            "连接到只读的备机",
            "this server is a standby and takes no writes",
            "MINGJING_DATABASE=…?target_session_attrs=read-write",
        )
    used = connection.execute(
        "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    ).fetchone()
    most = int(settings["max_connections"])
    if most < FEW_CONNECTIONS or (used and used[0] > 0.8 * most):
        yield warning(
            "database.connections",
            f"连接数 {used[0] if used else '?'}/{most}",
            f"{used[0] if used else '?'} of {most} connections are used",
            "ALTER SYSTEM SET max_connections = 100;（需重启 · needs a restart）",
        )
    else:
        yield ok(
            "database.connections",
            f"连接数 {used[0] if used else '?'}/{most}",
            f"{used[0] if used else '?'} of {most} connections",
        )


def extension(scene: Scene) -> Iterator[Result]:
    """TimescaleDB: there, made use of, under the licence with compression and aggregates."""
    connection = scene.connection
    if connection is None:
        return
    available = connection.execute(
        "select installed_version from pg_available_extensions where name = 'timescaledb'"
    ).fetchone()
    if available is None:
        yield ok("database.timescale", "未安装 TimescaleDB（可选）", "no TimescaleDB (it may be missing)")
    elif available[0] is None:
        yield warning(
            "database.timescale",
            "服务器有 TimescaleDB，但此库未启用",
            "the server offers TimescaleDB, this database does not use it",
            "CREATE EXTENSION timescaledb;（须在首次 mingjing migrate 之前 · before the first mingjing migrate）",
        )
    elif (licence := _settings(connection).get("timescaledb.license")) != "timescale":
        yield warning(
            "database.licence",
            f"TimescaleDB 许可为 {licence}，无列存压缩和连续聚合",
            f"TimescaleDB runs under '{licence}': neither columnstore nor continuous aggregates",
            "timescaledb.license = 'timescale'（postgresql.conf，需社区版 · with the community build）",
        )
    else:
        yield ok("database.timescale", f"TimescaleDB {available[0]}", f"TimescaleDB {available[0]}")


def clock(scene: Scene) -> Iterator[Result]:
    if scene.connection is None:
        return
    begun = time.monotonic()
    row = scene.connection.execute("select clock_timestamp()").fetchone()
    here = scene.now()
    assert row is not None
    seconds = (here - row[0]).total_seconds() - (time.monotonic() - begun) / 2
    zh, en = f"与数据库时钟相差 {seconds:+.2f} 秒", f"our clock is {seconds:+.2f} s off the database's"
    mend = "两台机器都启用 NTP：timedatectl set-ntp true · switch NTP on on both machines"
    if abs(seconds) > SKEW_FAULT:
        yield fault("clock.database", zh, en, mend)
    elif abs(seconds) > SKEW_WARNING:
        yield warning("clock.database", zh, en, mend)
    else:
        yield ok("clock.database", zh, en)


def waiting(scene: Scene) -> Iterator[Result]:
    """What lies in the database and wants somebody: refused lines, messages given up, a backup that is old."""
    connection = scene.connection
    if connection is None or schema_version(connection) < len(load_migrations()):
        return
    row = connection.execute(
        "select (select count(*) from dead_letter where state = 'waiting'),"
        " (select count(*) from outbox where state in ('ready', 'leased') and next_try_at < now() - interval '10 min'),"
        " (select extract(epoch from clock_timestamp() - max(real_at)) / 3600 from heartbeat where role = 'backup'),"
        " exists (select from event)"
    ).fetchone()
    assert row is not None
    letters, late, backup, lives = row
    if letters:
        yield warning(
            "dead_letters",
            f"{letters} 条死信待处理",
            f"{letters} refused lines wait",
            "mingjing dead-letters list",
        )
    if late:
        yield warning(
            "outbox",
            f"{late} 条短信超过十分钟未发",
            f"{late} messages have waited for over ten minutes",
            "mingjing messages",
        )
    if lives and backup is None:
        yield warning("backup", "从未备份", "no backup was ever made", "mingjing backup make …")
    elif backup is not None and backup > OLD_BACKUP_HOURS:
        yield warning(
            "backup",
            f"最近备份在 {backup:.0f} 小时前",
            f"the last backup is {backup:.0f} hours old",
            "mingjing backup make …",
        )


CHECKS = (database, durability, sessions, extension, clock, waiting)
