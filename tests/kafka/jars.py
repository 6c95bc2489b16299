"""The jars of an Apache Kafka broker: copied once by Maven into a cache beside no checkout, then used from there."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin"
#: Kafka 4's brokers need it.
JAVA = 17


class NoKafka(Exception):
    """Why no broker can be started here; one sentence."""


def kafka_version() -> str:
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    assert version, f"{POM} names no kafka.version"
    return version


@cache
def broker_jars() -> Path:
    """The folder with the jars, filled by the first who asks.

    Raises:
        NoKafka: Java or Maven is missing, or Maven could not get them.
    """
    _require_java()
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache_home / "mingjing-tests" / f"kafka-{kafka_version()}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name(folder.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _copy(folder)
    return folder


def _copy(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise NoKafka("Maven (mvn) is missing, which brings Kafka's jars (Debian: apt install maven)")
    # Moved into place when complete: a folder that exists is a good one.
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    command = ["mvn", "-B", "-q", "-f", str(POM), f"{PLUGIN}:copy-dependencies"]
    done = subprocess.run(
        [*command, "-DincludeScope=runtime", f"-DoutputDirectory={part}"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if "ERROR" in line]
        raise NoKafka(f"Maven could not bring Kafka's jars: {said[0] if said else done.stderr[-300:]}")
    part.rename(folder)


def _require_java() -> None:
    if shutil.which("java") is None:
        raise NoKafka("Java is missing, on which Kafka runs (Debian: apt install default-jre-headless)")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    version = said.partition('"')[2].partition(".")[0].partition('"')[0]
    if not version.isdigit() or int(version) < JAVA:
        raise NoKafka(f"Kafka needs Java {JAVA} or newer; here is {said.splitlines()[0] if said else '?'}")
