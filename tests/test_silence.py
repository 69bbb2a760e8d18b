"""Nothing reports home: no process of the line looks for another machine, or leaves a report to be sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from runcard.silence import QUIET
from tests.conftest import Made
from tests.servers import BIN, HANG_S, ROOT

# Opens the loopback of a network that is this process's own and leads nowhere, then runs the rest of the line.
INSIDE = """
import fcntl, socket, struct, subprocess, sys
with socket.socket() as probe:
    name = struct.pack("16sh", b"lo", 0)
    (_, flags) = struct.unpack("16sh", fcntl.ioctl(probe, 0x8913, name))
    fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", flags | 1))
sys.exit(subprocess.call(sys.argv[1:]))
"""
# A connection, or a datagram, to an address that is not this machine's.
OUTSIDE = re.compile(r'sa_family=AF_INET6?, (?!.*(?:inet_addr\("127\.|"::1"|"::ffff:127\.)).*')
# What a library keeps to know its user again, or to send later.
REPORTS = ("deviceid", "client_id", "telemetry", "usage_stats", "sentry", ".db")
KNOWN = re.compile(r"/prometheus_multiproc_dir/|/mlruns|/study\.db")


def _can_watch() -> bool:
    if shutil.which("unshare") is None or shutil.which("strace") is None:
        return False
    words = ["unshare", "-rn", "strace", "-f", "-qq", "-o", "/dev/null", "true"]
    return subprocess.run(words, capture_output=True, timeout=HANG_S, check=False).returncode == 0


watched = pytest.mark.skipif(not _can_watch(), reason="needs strace, and a network of its own (unshare -rn)")


def watch(words: Sequence[str], folder: Path, **variables: str) -> None:
    """Run a command with an empty home, in a network without a way out; look what it tried, and what it left."""
    home, trace = folder / "home", folder / "trace"
    home.mkdir(exist_ok=True)
    environment = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", **variables}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=connect,sendto,sendmsg",
        "-s",
        "200",
        "-o",
        str(trace),
    ]
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", INSIDE, *strace, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    assert [line for line in lines if OUTSIDE.search(line)] == []
    left = [str(path) for path in home.rglob("*") if path.is_file() and path.name.lower().endswith(REPORTS)]
    assert [path for path in left if not KNOWN.search(path)] == []


def test_what_the_user_has_set_stays() -> None:
    script = "import runcard, os, json; print(json.dumps(dict(os.environ)))"
    environment = {name: value for name, value in os.environ.items() if name not in QUIET}
    said = [
        json.loads(subprocess.check_output([sys.executable, "-c", script], env=environment | own, text=True))
        for own in ({}, {"ORT_DISABLE_TELEMETRY": "0"})
    ]
    assert {name: said[0][name] for name in QUIET} == QUIET
    assert said[1]["ORT_DISABLE_TELEMETRY"] == "0"


def test_bentomls_command_reads_its_variable_again() -> None:
    """It has read it, and keeps what it read, before it imports the service."""
    script = (
        "from bentoml._internal.utils.analytics.usage_stats import do_not_track\n"
        "before = do_not_track()\n"
        "import runcard\n"
        "print(before, do_not_track())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in QUIET}
    said = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    assert said.split() == ["False", "True"]


@watched
def test_the_watch_sees_what_would_be_sent(away: Path) -> None:
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(('192.0.2.1', 53))"
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        watch([sys.executable, "-c", script], away)
    script = "import pathlib; pathlib.Path.home().joinpath('deviceid').touch()"
    with pytest.raises(AssertionError, match="deviceid"):
        watch([sys.executable, "-c", script], away)


@watched
@pytest.mark.slow
def test_packaging_reports_nothing(table_made: Made, away: Path) -> None:
    watch(["runcard", "package", str(table_made.run.path), "--no-http"], away)


LINE = """
set -e
runcard fit data=wine model=linear trainer.max_epochs=2 problem.least_value=null logger={logger} --json > fit.json
if [ {logger} != csv ]; then exit; fi
RUN=$(python -c "import json; print(json.load(open('fit.json'))['run'])")
runcard evaluate "$RUN"
runcard package "$RUN"
"""
SERVED = """
set -e
serve() {{
  "$@" & PID=$!
  for _ in $(seq 600); do sleep 0.1; python -c "{ready}" 2>/dev/null && break; done
  kill $PID; wait $PID || true
}}
TAG=$(runcard package {run} --json | python -c "import json, sys; print(json.load(sys.stdin)['bundle'])")
runcard predict "$TAG" {rows} -o answers.csv
serve runcard serve --port {port}
cd {root}
serve bentoml serve --port {port}
bentoml build
"""
READY = "import urllib.request as web; web.urlopen('http://127.0.0.1:{port}/readyz', timeout=1)"


@watched
@pytest.mark.slow
@pytest.mark.parametrize("logger", ["csv", "tensorboard", "mlflow", "wandb"])
def test_the_line_reports_nothing(logger: str, away: Path) -> None:
    pytest.importorskip({"csv": "runcard", "tensorboard": "tensorboard"}.get(logger, logger))
    watch(["bash", "-c", LINE.format(logger=logger)], away, WANDB_MODE="offline", MLFLOW_TRACKING_URI="file:mlruns")


@watched
@pytest.mark.slow
def test_a_service_and_a_bento_report_nothing(table_made: Made, away: Path) -> None:
    (away / "rows.csv").write_text("age,city,member,spent\n40,Ulm,true,2.5\n")
    words = {"run": table_made.run.path, "rows": away / "rows.csv", "root": ROOT, "port": 3917}
    watch(["bash", "-c", SERVED.format(ready=READY.format(port=3917), **words)], away)


@watched
@pytest.mark.slow
@pytest.mark.parametrize("words", ["", "hydra/launcher=ray"])
def test_a_sweep_reports_nothing(words: str, away: Path) -> None:
    if words:
        pytest.importorskip("ray")
    sweep = (
        "runcard fit -m data=wine model=linear trainer.max_epochs=1 sweep.n_trials=2 'optimizer.lr=interval(1e-3,1e-1)'"
    )
    watch(["bash", "-c", f"{sweep} {words}"], away)
