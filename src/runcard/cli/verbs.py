"""Verb → step. Each verb imports what it needs when it runs, so that help and checks never wait for torch."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard.errors import CardError


@dataclass(frozen=True)
class Result:
    """What a verb gives back.

    Attributes:
        data: For machines; printed with ``--json``.
        text: For people.
        exit_code: 0, or 3 where a check said no.
    """

    data: dict[str, Any]
    text: str
    exit_code: int = 0


@dataclass(frozen=True)
class Verb:
    """One verb of the command line."""

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Result]


def _add_card(parser: argparse.ArgumentParser) -> None:
    card = "group=choice and key=value, such as data=wine optimizer.lr=1e-3; or a saved card.yaml first"
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=card)
    parser.add_argument("--config-dir", metavar="DIR", help="a folder with groups of your own, beside the shipped ones")
    hydra = parser.add_argument_group("Hydra's own flags")
    hydra.add_argument("-c", "--cfg", choices=["job", "hydra", "all"], help="print the composed configuration")
    hydra.add_argument("--resolve", action="store_true", help="with --cfg: with interpolations filled in")
    hydra.add_argument("-i", "--info", nargs="?", const="all", metavar="WHAT", help="print how it was composed")
    hydra.add_argument("-sc", "--shell-completion", action="store_true", help="install=SHELL as override: completion")
    hydra.add_argument("-m", "--multirun", action="store_true", help=argparse.SUPPRESS)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run folder; `runcard ls` lists them")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("rows", metavar="ROWS", help="a .csv, .tsv, .parquet, .json or .ndjson file")
    parser.add_argument("-o", "--output", default="answers.csv", metavar="FILE", help="default: answers.csv")


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="where the run folders are; default: runs")
    parser.add_argument("--name", help="only runs of this name")
    sort = "newest first, or best first by the metric on the validation rows"
    parser.add_argument("--sort", choices=["newest", "best"], default="newest", help=sort)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="where run folders would go; default: runs")


def check(arguments: argparse.Namespace) -> Result:
    """Compose and judge a card."""
    from runcard import api
    from runcard.cli.text import card_text

    if _is_for_hydra(arguments):
        return _hydra(arguments)
    card = api.load_card(arguments.overrides, arguments.config_dir)
    api.check(card)
    data = {"ok": True, "card": card.to_dict(), "origins": card.origins}
    return Result(data, f"{card_text(card)}\nthe card is right")


def fit(arguments: argparse.Namespace) -> Result:
    """Card → run."""
    from runcard import api
    from runcard.cli.text import run_text, said_to_people

    if _is_for_hydra(arguments):
        return _hydra(arguments)
    started = time.monotonic()
    card = api.load_card(arguments.overrides, arguments.config_dir)
    with said_to_people():
        run = api.fit(card, progress=True)
    data = {"run": str(run.path), "metrics": run.metrics, "seconds": round(time.monotonic() - started, 3)}
    return Result(data, run_text(run))


def evaluate(arguments: argparse.Namespace) -> Result:
    """One run in depth."""
    from runcard import api
    from runcard.cli.text import run_text

    run = api.evaluate(arguments.run)
    data = {"run": str(run.path), "metrics": run.metrics, "report": str(run.folder.report)}
    return Result(data, run_text(run))


def predict(arguments: argparse.Namespace) -> Result:
    """Rows file → answers file."""
    from runcard import api
    from runcard.data.frames import check_output, write_frame
    from runcard.runs import write_bytes

    run = api.load_run(arguments.run)
    output = Path(arguments.output).expanduser().absolute()
    check_output(output)
    if output.exists() and (output.samefile(arguments.rows) or run.path in output.resolve().parents):
        raise CardError(f"--output {output}: this holds what the answers come from; name another file")
    columns = run.columns(arguments.rows)
    answers = run.table(run.answer(columns))
    write_bytes(output, write_frame(answers, output))
    warnings = run.warnings(columns)
    lines = [*(f"warning: {warning}" for warning in warnings), f"{answers.height} answers in {output}"]
    data = {"answers": str(output), "rows": answers.height, "warnings": warnings, "run": str(run.path)}
    return Result(data, "\n".join(lines))


def ls(arguments: argparse.Namespace) -> Result:
    """Find runs."""
    from runcard.cli.listing import listing, listing_text

    if not Path(arguments.runs_dir).is_dir():
        raise CardError(f"there is no folder {arguments.runs_dir}: nothing was fitted here yet, or say --runs-dir DIR")
    rows = listing(arguments.runs_dir, name=arguments.name, best_first=arguments.sort == "best")
    if arguments.name and not rows:
        raise CardError(f"--name {arguments.name}: there are no runs of this name in {arguments.runs_dir}")
    return Result({"runs": rows}, listing_text(rows))


def doctor(arguments: argparse.Namespace) -> Result:
    """What this machine has and lacks."""
    from runcard.cli.doctor import examine

    findings = examine(Path(arguments.runs_dir))
    marks = {"ok": "ok  ", "missing": "MISSING", "note": "note"}
    text = "\n".join(f"{marks[item['state']]:8}{item['what']}: {item['is']}" for item in findings)
    sound = all(item["state"] != "missing" for item in findings)
    return Result({"ok": sound, "findings": findings}, text, 0 if sound else 3)


def _is_for_hydra(arguments: argparse.Namespace) -> bool:
    if arguments.multirun:
        raise CardError("-m/--multirun: sweeps are not part of this version yet; run `runcard fit` once a value")
    return bool(arguments.cfg or arguments.info or arguments.shell_completion)


def _hydra(arguments: argparse.Namespace) -> Result:
    """Let Hydra answer the flags that are its own; it prints by itself."""
    from runcard.card.hydra_flags import answer

    flags = []
    if arguments.cfg:
        flags += ["--cfg", arguments.cfg]
    if arguments.resolve:
        flags.append("--resolve")
    if arguments.info:
        flags += ["--info", arguments.info]
    if arguments.shell_completion:
        flags.append("--shell-completion")
    if arguments.config_dir:
        flags += ["--config-dir", os.path.abspath(arguments.config_dir)]
    text = answer([*flags, *arguments.overrides]).rstrip("\n")
    return Result({"text": text}, text)


VERBS = (
    Verb(
        "check",
        "compose a card and report every mistake in it",
        "runcard check data=wine optimizer.lr=1e-3",
        _add_card,
        check,
    ),
    Verb(
        "fit",
        "train a card's model and evaluate it: card to run",
        "runcard fit experiment=digits_cnn seed=1",
        _add_card,
        fit,
    ),
    Verb(
        "evaluate",
        "score a run again, with baselines and a report",
        "runcard evaluate runs/digits-mlp/ID",
        _add_run,
        evaluate,
    ),
    Verb(
        "predict",
        "answer a file of rows with a run",
        "runcard predict runs/table-mlp/ID rows.csv -o answers.csv",
        _add_predict,
        predict,
    ),
    Verb("ls", "list the runs with their scores and how their cards differ", "runcard ls --sort best", _add_ls, ls),
    Verb("doctor", "say what this machine has, what is missing and what to do", "runcard doctor", _add_doctor, doctor),
)
