"""Options of BentoML that do nothing here, for a request is answered before it comes to BentoML: each is said."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml
from click.core import ParameterSource

# Those that do something: of ``bentoml serve``, and of its configuration below ``services`` or ``services.NAME``.
WORDS = frozenset(
    {"bento", "port", "host", "backlog", "working_dir", "development", "reload", "timeout_graceful_shutdown", "arg"}
)
KEYS = ("workers", "backlog", "http.host", "http.port", "ssl")
OF_SSL = "ssl_"
# What does the same, by the end of an option's name.
INSTEAD: Mapping[str, str] = {
    "api_workers": '{"workers": 2}',
    "workers": '{"workers": 2}',  # of another service's name
    "threads": '{"threads": 2}',
    "timeout": '{"timeout_s": 60}',
    "max_concurrency": '{"max_concurrency": 64}',
    "concurrency": '{"max_concurrency": 64}',
}
CORS = "; answers for pages of other addresses are a proxy's to allow"


def say_idle(name: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What to say of the options with which BentoML was started, a sentence for each that does nothing.

    Args:
        name: The service's.
        environment: BentoML's variables among others.
    """
    return [_said(option) for option in (*_words(), *(key for key in _keys(environment) if not _is_obeyed(key, name)))]


def _words() -> Iterator[str]:
    """The options of the command in which this is."""
    context = click.get_current_context(silent=True)
    if context is None or context.command.name != "serve":
        return
    for word in context.params:
        if word not in WORDS and not word.startswith(OF_SSL) and _is_given(context, word):
            yield f"--{word.replace('_', '-')}"


def _is_given(context: click.Context, word: str) -> bool:
    return context.get_parameter_source(word) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def _keys(environment: Mapping[str, str]) -> Iterator[str]:
    """The keys of BentoML's configuration that are given; BentoML refuses a file or a text that is none."""
    path = environment.get("BENTOML_CONFIG")
    if path and Path(path).is_file():
        yield from _flat(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    for text in shlex.split(environment.get("BENTOML_CONFIG_OPTIONS", "")):
        yield text.partition("=")[0]


def _flat(content: Any, above: str = "") -> Iterator[str]:
    if not isinstance(content, dict) or not content:
        yield above
        return
    for key, value in content.items():
        yield from _flat(value, f"{above}.{key}" if above else str(key))


def _is_obeyed(key: str, name: str) -> bool:
    if key in ("", "version"):
        return True
    within = key.removeprefix("services.").removeprefix("api_server.").removeprefix(f"{name}.")
    return any(within == obeyed or within.startswith(f"{obeyed}.") for obeyed in KEYS)


def _said(option: str) -> str:
    last = option.removeprefix("--").replace("-", "_").rpartition(".")[2]
    instead = INSTEAD.get(last)
    way = f": RUNCARD_SERVE='{instead}' is for that" if instead else CORS if "cors" in option else ""
    return f"BentoML's option {option} does nothing here{way}"
