"""The verbs of the command line: what each is for, and what it takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from runcard.cli import steps
from runcard.cli.deploying import add_deploy
from runcard.cli.removing import add_rm
from runcard.cli.steps import Result


@dataclass(frozen=True)
class Verb:
    """One verb of the command line."""

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Result]


def _add_init(parser: argparse.ArgumentParser) -> None:
    folder = "the folder to make; its last part is the name of project, package and card"
    parser.add_argument("folder", metavar="PROJECT", help=folder)
    rows = "a .csv, .tsv or .parquet file of rows; without it, handwritten digits"
    parser.add_argument("--data", metavar="FILE", help=rows)
    parser.add_argument("--target", metavar="COLUMN", help="with --data: the column to predict")
    encoding = "with --data: of a CSV that is not UTF-8, such as cp1252"
    parser.add_argument("--encoding", metavar="NAME", default="auto", help=encoding)
    ragged = "with --data: whether a line of a CSV that lacks its last fields is refused, or these are missing"
    parser.add_argument("--ragged", choices=["refuse", "fill"], default="refuse", help=ragged)


def _add_card(parser: argparse.ArgumentParser) -> None:
    card = "group=choice and key=value, such as data=wine optimizer.lr=1e-3; or a saved card.yaml first"
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=card)
    parser.add_argument("--config-dir", metavar="DIR", help="a folder with groups of your own, beside the shipped ones")
    _add_trust(parser)
    hydra = parser.add_argument_group("Hydra's own flags")
    hydra.add_argument("-c", "--cfg", choices=["job", "hydra", "all"], help="print the composed configuration")
    hydra.add_argument("--resolve", action="store_true", help="with --cfg: with interpolations filled in")
    hydra.add_argument("-i", "--info", nargs="?", const="all", metavar="WHAT", help="print how it was composed")
    multirun = "a sweep: overrides may name many values, such as seed=1,2,3 or optimizer.lr=interval(1e-3,1e-1)"
    hydra.add_argument("-m", "--multirun", action="store_true", help=multirun)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    trust = "a package of yours whose classes a card may name; or in pyproject.toml, see docs/own_classes.md"
    parser.add_argument("--trust", action="append", default=[], metavar="PACKAGE", help=trust)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_card(parser)
    origin = "show for every value the file and line, or the override, that set it"
    parser.add_argument("--origin", action="store_true", help=origin)
    schema = "write JSON Schemas there, with which an editor completes and checks YAML files, and check no card"
    parser.add_argument("--schema", metavar="DIR", help=schema)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run folder; `runcard ls` lists them")
    _add_trust(parser)


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = "where the rows of the run are now, if they were moved: data.path=FILE, or data.inputs and data.targets"
    parser.add_argument("places", nargs="*", metavar="data.path=FILE", help=places)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    places = "a file of other rows with the truth in it, to score the run on them and change nothing; or where its own "
    places += "rows are now, if they were moved: data.path=FILE, or data.inputs and data.targets"
    parser.add_argument("places", nargs="*", metavar="ROWS|data.path=FILE", help=places)
    accept = "end with 0, not 3, where the score on the test rows is worse than problem.least_value"
    parser.add_argument("--accept", action="store_true", help=accept)


def _add_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN|STUDY", help="a run folder, or the study folder of a sweep")
    words = (
        "more epochs than a finished run has, which a new run trains; or where the rows are now, if they were moved: "
    )
    words += "data.path=FILE, or data.inputs and data.targets"
    parser.add_argument("places", nargs="*", metavar="trainer.max_epochs=N|data.path=FILE", help=words)
    _add_trust(parser)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    passed = "relative difference of losses and scores let pass if versions or processor changed; default: 0.05"
    parser.add_argument("--tolerance", type=float, default=0.05, metavar="SHARE", help=passed)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    what = "a run folder; or a bundle: name:version, name for its newest version, or its folder"
    parser.add_argument("run", metavar="RUN|BUNDLE", help=what)
    rows = "a .csv, .tsv, .txt, .parquet, .json or .ndjson file; all but .json may be larger than the memory"
    parser.add_argument("rows", metavar="ROWS", help=rows)
    output = "a .csv, .tsv, .txt, .parquet or .ndjson file; default: answers.csv"
    parser.add_argument("-o", "--output", default="answers.csv", metavar="FILE", help=output)
    keep = "columns of ROWS to write before the answers, such as an id; of a CSV as they are written there"
    parser.add_argument("--keep", metavar="COLUMN,COLUMN", default="", help=keep)
    raw = "leave texts in a CSV that a spreadsheet would run as formulas; without it ' stands before them"
    parser.add_argument("--raw", action="store_true", help=raw)
    _add_trust(parser)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN|STUDY", help="a run folder, or a study folder for its winner")
    _add_places(parser)
    http = "do not start the service to compare its answers over HTTP too; for places where no port can be opened"
    parser.add_argument("--no-http", dest="http", action="store_false", help=http)
    sign = "sign the bundle with the elliptic-curve key in this PEM file, as model.sig; needs runcard[signing]"
    parser.add_argument("--sign", metavar="KEY.pem", help=sign)
    accept = "package it also where the score on the test rows is worse than problem.least_value"
    parser.add_argument("--accept", action="store_true", help=accept)
    examples = "the rows that page, description and bundle show: made ones, or real ones of the data; default: as the "
    examples += "card's serve.examples says"
    parser.add_argument("--examples", choices=("made", "real"), help=examples)
    _add_trust(parser)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    cards = "two or more run folders, trials of a study, or card.yaml files: the keys in which their cards differ"
    parser.add_argument("--cards", nargs="+", metavar="CARD", help=cards)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    words = "BUNDLE, which is name:version, name for its newest version, or a folder (default: the newest of all; "
    words += "`bentoml models list` lists them); and changes of how it is served, such as serve.workers=2"
    parser.add_argument("words", nargs="*", metavar="BUNDLE|serve.KEY=VALUE", help=words)
    host = "the address to listen on; default: 127.0.0.1, this machine only; with any other a token is asked for"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    parser.add_argument("--port", type=int, default=3000, help="default: 3000")
    _add_trust(parser)


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="where the run folders are; default: runs")
    parser.add_argument("--name", help="only runs of this name")
    studies = "where the study folders are; default: studies"
    parser.add_argument("--studies-dir", default="studies", metavar="DIR", help=studies)
    sort = "newest first, or best first by the metric on the validation rows, each metric by itself"
    parser.add_argument("--sort", choices=["newest", "best"], default="newest", help=sort)
    columns = "show these keys of the cards, such as optimizer.lr,seed, instead of those that differ"
    parser.add_argument("--columns", metavar="KEY,KEY", help=columns)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="where run folders would go; default: runs")


VERBS = (
    Verb(
        "init",
        "make a project folder around a file of rows, with a card that can be fitted at once",
        "runcard init my_project --data customers.csv --target churned",
        _add_init,
        steps.init,
    ),
    Verb(
        "check",
        "compose a card and report every mistake in it",
        "runcard check data=wine optimizer.lr=1e-3 --origin",
        _add_check,
        steps.check,
    ),
    Verb(
        "fit",
        "train a card's model and evaluate it: card to run; with -m or sweep=, card to study",
        "runcard fit experiment=digits_cnn seed=1",
        _add_card,
        steps.fit,
    ),
    Verb(
        "resume",
        "go on with a run or a sweep that was stopped, to the same end as if it had not been",
        "runcard resume runs/digits-mlp/ID",
        _add_resume,
        steps.resume,
    ),
    Verb(
        "verify",
        "run a finished run again in a fresh process and compare the two bit for bit",
        "runcard verify runs/digits-mlp/ID",
        _add_verify,
        steps.verify,
    ),
    Verb(
        "evaluate",
        "score a run again, with baselines and a report",
        "runcard evaluate runs/digits-mlp/ID",
        _add_evaluate,
        steps.evaluate,
    ),
    Verb(
        "predict",
        "answer a file of rows with a run or a bundle",
        "runcard predict runs/table-mlp/ID rows.csv -o answers.csv",
        _add_predict,
        steps.predict,
    ),
    Verb(
        "package",
        "put a run, or a study's winner, into BentoML's model store, proved to answer as the run did",
        "runcard package studies/digits",
        _add_package,
        steps.package,
    ),
    Verb("serve", "answer over HTTP with a bundle", "runcard serve --port 3000", _add_serve, steps.serve),
    Verb(
        "deploy",
        "write the files that run an image of a bundle on Kubernetes or with Docker Compose",
        "runcard deploy --target kubernetes --image registry.example.com/team/digits:1",
        add_deploy,
        steps.deploy,
    ),
    Verb(
        "ls", "list the runs with their scores and how their cards differ", "runcard ls --sort best", _add_ls, steps.ls
    ),
    Verb(
        "rm",
        "remove runs, studies and bundles for good, after showing what would go",
        "runcard rm runs/digits-mlp/ID studies/digits --dry-run",
        add_rm,
        steps.rm,
    ),
    Verb(
        "compare",
        "show side by side how the cards of runs differ",
        "runcard compare --cards runs/digits-mlp/ID runs/digits-cnn/ID",
        _add_compare,
        steps.compare,
    ),
    Verb(
        "doctor",
        "say what this machine has, what is missing and what to do",
        "runcard doctor",
        _add_doctor,
        steps.doctor,
    ),
)
