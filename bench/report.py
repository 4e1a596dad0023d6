"""One table, with the machine that it is true for."""

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path

import psycopg
import redis


@dataclass(frozen=True, slots=True)
class Row:
    """Numbers with their units, as they are to be read."""

    what: str
    shopbell: str
    beside: str = ""
    ratio: str = ""
    target: str = ""


HEADINGS = Row("measured", "Shopbell", "beside it", "ratio", "target")


def progress(text: str) -> None:
    """For the person who waits; the table alone goes to standard output."""
    print(text, file=sys.stderr, flush=True)


def show(rows: Sequence[Row]) -> None:
    table = [astuple(HEADINGS), *map(astuple, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table.insert(1, tuple("-" * width for width in widths))
    print("\n".join(machine()), "", sep="\n")
    for line in table:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")


def machine() -> list[str]:
    """What these numbers depend on, and what spoils them."""
    return [
        f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}, Daphne {version('daphne')}, {_database()}, {_redis()}",
        f"load average at the end {os.getloadavg()[0]:.1f}, ourselves included",
    ]


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def ratio(value: float, base: float) -> str:
    return f"{value / base:.1f} ×"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def _database() -> str:
    """With its durability: where a commit costs nothing, whatever is compared to one looks worse."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        settings = [
            connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            for name in ("server_version", "fsync", "synchronous_commit")
        ]
    release, fsync, synchronous_commit = (row[0] for row in settings if row)
    return f"PostgreSQL {release} (fsync {fsync}, synchronous_commit {synchronous_commit})"


def _redis() -> str:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        info = client.info("server")
    return (
        f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    )
