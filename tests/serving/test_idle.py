"""What BentoML is told and does nothing is said; the rest is obeyed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from runcard.serving.idle import say_idle
from tests.servers import ROOT

NAME = "runcard_service"


def said(tmp_path: Path, options: str = "", file: str = "") -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(file)
    return say_idle(NAME, {"BENTOML_CONFIG_OPTIONS": options, **({"BENTOML_CONFIG": str(path)} if file else {})})


@pytest.mark.parametrize(
    "key", ["services.workers", f"services.{NAME}.workers", "services.http.port", f"services.{NAME}.ssl.enabled"]
)
def test_what_is_obeyed_is_not_spoken_of(key: str, tmp_path: Path) -> None:
    assert said(tmp_path, f"{key}=2") == []


@pytest.mark.parametrize(
    ("key", "way"),
    [
        (f"services.{NAME}.traffic.timeout", ": RUNCARD_SERVE='{\"timeout_s\": 60}' is for that"),
        ("services.traffic.max_concurrency", ": RUNCARD_SERVE='{\"max_concurrency\": 64}' is for that"),
        ("services.http.cors.enabled", "; answers for pages of other addresses are a proxy's to allow"),
        ("services.logging.access.enabled", ""),
        ("services.other.workers", ": RUNCARD_SERVE='{\"workers\": 2}' is for that"),
    ],
)
def test_what_is_not_is_named_with_what_does_it(key: str, way: str, tmp_path: Path) -> None:
    assert said(tmp_path, f"{key}=1") == [f"BentoML's option {key} does nothing here{way}"]


def test_a_file_of_options(tmp_path: Path) -> None:
    file = f"version: 2\nservices:\n  {NAME}:\n    workers: 2\n    traffic:\n      timeout: 3\n  http:\n    port: 80\n"
    assert said(tmp_path, file=file) == [
        f"BentoML's option services.{NAME}.traffic.timeout does nothing here: RUNCARD_SERVE='{{\"timeout_s\": 60}}' "
        "is for that"
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--port", "1"], 0), (["--api-workers", "3"], 1), (["--timeout", "5", "--ssl-certfile", "x"], 1)],
)
def test_words_of_the_command(words: list[str], expected: int) -> None:
    found: list[str] = []

    @click.command("serve")
    @click.option("--port")
    @click.option("--api-workers")
    @click.option("--timeout")
    @click.option("--ssl-certfile")
    def serve(**_: object) -> None:
        found.extend(say_idle(NAME, {}))

    serve.main(words, standalone_mode=False)
    assert len(found) == expected
    assert all(sentence.startswith(f"BentoML's option {words[0]} does nothing here") for sentence in found)


def test_the_name_can_be_written_in_bentomls_options() -> None:
    assert f'NAME = "{NAME}"' in (ROOT / "src/runcard/serving/service.py").read_text()
    assert NAME.isidentifier()
