"""Load: wrk for as many requests as a service can answer, a clock of our own for so many a second."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [==[{body}]==]
"""


@dataclass(frozen=True)
class Load:
    """What wrk measured.

    Attributes:
        per_second: Requests answered in a second.
        p50: Milliseconds within which half of the answers came.
        p99: And 99 of 100.
        wrong: Answers other than 2xx and 3xx, and connections that broke.
    """

    per_second: float
    p50: float
    p99: float
    wrong: int


def loaded(port: int, body: str, connections: int, seconds: float) -> Load:
    """As many requests as are answered, over so many connections."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("this bench loads with wrk: apt install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.replace("{body}", body))
        script.flush()
        words = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--latency", "--timeout", "30"]
        url = f"http://127.0.0.1:{port}/predict"
        said = subprocess.run([*words, "-s", script.name, url], capture_output=True, text=True, check=True).stdout
    lines = [line.partition(":")[2] for line in said.splitlines() if "errors" in line or "Non-2xx" in line]
    wrong = sum(int(number) for line in lines for number in re.findall(r"\d+", line))
    return Load(float(re.findall(r"Requests/sec: +([\d.]+)", said)[0]), _ms(said, "50%"), _ms(said, "99%"), wrong)


def _ms(said: str, share: str) -> float:
    ((number, unit),) = re.findall(rf"{share} +([\d.]+)(us|ms|s|m)\b", said)
    return float(number) * UNITS[unit]


@dataclass
class Paced:
    """What came of requests at a fixed rate.

    Attributes:
        statuses: How often each; 0: the connection broke.
        ms: Of each answer of status 200, from when it was due.
    """

    statuses: Counter[int]
    ms: list[float]

    def share(self, share: float) -> float:
        """A quantile of the milliseconds."""
        return sorted(self.ms)[min(len(self.ms) - 1, int(share * len(self.ms)))] if self.ms else float("nan")


async def paced(port: int, path: str, body: object, per_second: float, seconds: float) -> Paced:
    """So many requests a second, whether or not earlier ones are answered; each over a connection of its own."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(content)}\r\n\r\n".encode() + content
    found = Paced(Counter(), [])

    async def ask(due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        status = await _asked(port, request)
        found.statuses[status] += 1
        if status == 200:
            found.ms.append(1000 * (time.perf_counter() - due))

    began = time.perf_counter()
    await asyncio.gather(*(ask(began + number / per_second) for number in range(int(per_second * seconds))))
    return found


async def _asked(port: int, request: bytes) -> int:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        said = await reader.read()
        writer.close()
        return int(said.split(None, 2)[1]) if said else 0
    except OSError:
        return 0
