"""What each verb does. It imports what it needs when it runs, so that help and checks never wait for torch."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from runcard.advice import advise
from runcard.errors import CardError, Mistake

if TYPE_CHECKING:
    from runcard.card.plan import Plan
    from runcard.card.schema import Card
    from runcard.evaluation.predictor import Run
    from runcard.tuning.sweep import Study

UNREAD = "the sweep is right, as far as can be told before the data is read: what decides follows from it"


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


def init(arguments: argparse.Namespace) -> Result:
    """Name, and rows if there are any → project folder."""
    from runcard.cli.starting import started_data, started_text
    from runcard.starting.project import start

    started = start(
        arguments.folder, arguments.data, arguments.target, encoding=arguments.encoding, ragged=arguments.ragged
    )
    return Result(started_data(started), started_text(started))


def check(arguments: argparse.Namespace) -> Result:
    """Compose and judge a card, or a sweep with a card for each point that can be foreseen."""
    from runcard.card.schema import Card

    if arguments.schema is not None:
        return _schemas(arguments)
    if _is_for_hydra(arguments):
        return _hydra(arguments)
    found = _loaded(arguments)
    return _checked(found, arguments) if isinstance(found, Card) else _checked_sweep(found, arguments)


def _checked_sweep(plan: Plan, arguments: argparse.Namespace) -> Result:
    """A right sweep, as its space."""
    from runcard import api
    from runcard.cli.text import space_text

    if arguments.origin:
        raise CardError("--origin: shows where the values of one card come from, and a sweep makes many")
    metrics = api.check_sweep(plan)
    settings = {key: value for key, value in plan.written_settings.items() if key not in ("space", "n_trials")}
    data = {"ok": True, "sweep": settings, "space": plan.written_space, "n_trials": plan.trials}
    one = metrics is not None and len(metrics) == 1
    data |= {"first": plan.first, "metric": metrics[0] if metrics and one else metrics}
    data["warnings"] = [vars(mistake) for mistake in plan.aside]
    decides = f"the sweep is right; {' and '.join(metrics or [])} {'decides' if one else 'decide'}"
    return Result(data, "\n".join([space_text(plan), *_warnings(plan.aside), decides if metrics else UNREAD]))


def _warnings(aside: Sequence[Mistake]) -> list[str]:
    """A line or more for each mistake in a file that stops nothing."""
    return [f"warning: {mistake}\n      Nobody chose the file, so it stops nothing." for mistake in aside]


def _checked(card: Card, arguments: argparse.Namespace) -> Result:
    """A right card, as a tree or with the place of every value."""
    from runcard.card.places import places_of
    from runcard.cli.showing import origin_text, tree_text

    places = places_of(card, arguments.overrides)
    show = origin_text if arguments.origin else tree_text
    text = show(card, places, _stream(arguments))
    data = {"ok": True, "card": card.to_dict(), "origins": places.origins}
    data["warnings"] = [vars(mistake) for mistake in card.aside]
    return Result(data, "\n".join([text, *_warnings(card.aside), "the card is right"]))


def _schemas(arguments: argparse.Namespace) -> Result:
    """What an editor reads, of the shipped groups and the user's own."""
    from runcard.card.compose import folders
    from runcard.card.help.editor import write_schemas

    if arguments.overrides:
        raise CardError(f"--schema: {arguments.overrides[0]} has no part in it, for no card is checked")
    written = write_schemas(Path(arguments.schema).expanduser(), folders(arguments.config_dir))
    text = f"{len(written)} schemas in {arguments.schema}; a file names its own in a line of its head, such as\n"
    text += f"# yaml-language-server: $schema={written[0].absolute()}"
    return Result({"files": [str(path) for path in written]}, text)


def fit(arguments: argparse.Namespace) -> Result:
    """Card → run, or study."""
    from runcard import api
    from runcard.card.schema import Card
    from runcard.cli.text import said_to_people

    if _is_for_hydra(arguments):
        return _hydra(arguments)
    started = time.monotonic()
    found = _loaded(arguments)
    with said_to_people():
        if not isinstance(found, Card):
            return _swept(api.sweep(found), started, arguments)
        run = api.fit(found, progress=True)
    return _fitted(run, started)


def resume(arguments: argparse.Namespace) -> Result:
    """Stopped run → finished run, or stopped study → finished study."""
    from runcard import api, studies
    from runcard.card.moved import is_further
    from runcard.cli.text import said_to_people

    started = time.monotonic()
    if studies.is_study(arguments.run):
        if arguments.places:
            raise CardError(f"{arguments.places[0]}: of a study nothing is said anew; leave it out")
        with said_to_people():
            return _swept(api.resume_sweep(arguments.run), started, arguments)
    further = [word for word in arguments.places if is_further(word)]
    places = [word for word in arguments.places if not is_further(word)]
    with said_to_people():
        run = api.resume(arguments.run, progress=True, places=places, overrides=further)
    return _fitted(run, started)


def _swept(study: Study, started: float, arguments: argparse.Namespace) -> Result:
    """A study with its winner."""
    from runcard.cli.sweeping import study_data, study_text
    from runcard.cli.terminal import width_of

    data = study_data(study) | {"seconds": round(time.monotonic() - started, 3)}
    return Result(data, study_text(study, width_of(_stream(arguments))))


def _fitted(run: Run, started: float) -> Result:
    """A run and, where its card asks for them, where time went and, last, whether the model can learn."""
    from runcard import files
    from runcard.cli.debugging import learned, overfit_text, profile_text
    from runcard.cli.text import run_text, shown_path

    seconds = round(time.monotonic() - started, 3)
    data: dict[str, Any] = {"run": str(run.path), "metrics": run.metrics, "seconds": seconds}
    texts, can_learn = [run_text(run)], learned(run)
    if run.card.trainer.profile and run.folder.profile.is_file():
        data["profile"] = files.read_json(run.folder.profile) | {"trace": str(run.folder.trace)}
        texts.append(profile_text(data["profile"], shown_path(run.folder.trace)))
    if can_learn is not None:
        data["learned"] = can_learn
        texts.append(overfit_text(run))
    return Result(data, "\n".join(texts), 3 if can_learn is False else 0)


def verify(arguments: argparse.Namespace) -> Result:
    """Finished run → whether it comes out the same again."""
    from runcard import api
    from runcard.cli.text import said_to_people, verdict_text

    if not 0 <= arguments.tolerance < 1:
        raise CardError(f"--tolerance {arguments.tolerance:g}: a share is expected, 0 to below 1")
    with said_to_people():
        verdict = api.verify(arguments.run, tolerance=arguments.tolerance)
    data = {"run": str(Path(arguments.run).absolute()), "same": verdict.same, **asdict(verdict)}
    return Result(data, verdict_text(verdict), 0 if verdict.same else 3)


def evaluate(arguments: argparse.Namespace) -> Result:
    """One run in depth."""
    from runcard import api
    from runcard.cli.text import run_text, said_to_people
    from runcard.evaluation.standing import is_acceptable

    files = [word for word in arguments.places if "=" not in word]
    if files:
        return _scored(arguments, files)
    with said_to_people():
        run = api.evaluate(arguments.run, arguments.places)
    acceptable = is_acceptable(run.card, run.metrics)
    data = {"run": str(run.path), "metrics": run.metrics, "report": str(run.folder.report), "acceptable": acceptable}
    return Result(data, run_text(run), 0 if acceptable or arguments.accept else 3)


def _scored(arguments: argparse.Namespace, files: list[str]) -> Result:
    """One run on a file of other rows."""
    from runcard import api
    from runcard.cli.text import said_to_people, scores_text
    from runcard.evaluation.standing import is_acceptable

    if len(arguments.places) > 1:
        other = next(word for word in arguments.places if word != files[0])
        raise CardError(f"{other}: a run is scored on one file at a time, and on {files[0]} here; leave it out")
    with said_to_people():
        run = api.load_run(arguments.run)
        scores = api.evaluate_rows(arguments.run, files[0])
    acceptable = is_acceptable(run.card, {f"test/{name}": value for name, value in scores.metrics.items()})
    data = {"run": str(run.path), "file": files[0], "acceptable": acceptable, **asdict(scores)}
    return Result(data, scores_text(run, files[0], scores), 0 if acceptable or arguments.accept else 3)


def predict(arguments: argparse.Namespace) -> Result:
    """Rows file → answers file."""
    from runcard.cli.predicting import answer_file, answering, split_names

    what, output = answering(arguments.run), Path(arguments.output).expanduser().absolute()
    shown, keep = not arguments.json and sys.stderr.isatty(), split_names(arguments.keep)
    rows, warnings = answer_file(what, arguments.rows, output, shown=shown, raw=arguments.raw, keep=keep)
    lines = [*(f"warning: {warning}" for warning in warnings), f"{rows} answers in {output}"]
    return Result({"answers": str(output), "rows": rows, "warnings": warnings, **what.named}, "\n".join(lines))


def package(arguments: argparse.Namespace) -> Result:
    """Run or study → bundle."""
    from runcard import api
    from runcard.cli.text import packaged_text, said_to_people

    with said_to_people():
        packaged = api.package(
            arguments.run,
            http=arguments.http,
            sign=arguments.sign,
            places=arguments.places,
            accept=arguments.accept,
            examples=arguments.examples,
        )
    data = {"bundle": packaged.tag, "path": str(packaged.path), "rows_compared": packaged.compared}
    data |= {"rows_one_by_one": packaged.again, "rows_over_http": packaged.http, "deviation": packaged.deviation}
    data |= {"signed": packaged.signed, "runtime": packaged.runtime}
    return Result(data, packaged_text(packaged))


def serve(arguments: argparse.Namespace) -> Result:
    """Bundle → service; comes back only with an error."""
    from runcard.serving.launch import become_server, prepare

    start = prepare(arguments.words, arguments.host, arguments.port)
    said = [f"serving {start.admitted.tag} on {start.url}", *(f"warning: {word}" for word in start.admitted.warnings)]
    data = {"bundle": start.admitted.tag, "url": start.url, "warnings": start.admitted.warnings}
    if start.made_token is not None:
        said += [f"token   {start.made_token}  (made for this start; RUNCARD_TOKEN or serve.token_file choose one)"]
        data["token"] = start.made_token
    print("\n".join(said), file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps(data), flush=True)
    become_server(start)


def deploy(arguments: argparse.Namespace) -> Result:
    """Bundle and image → files that run them elsewhere."""
    from runcard.cli import deploying
    from runcard.deploying.bento import TARGET, write_bento_folder
    from runcard.deploying.deploy import deploy

    deploying.check_words(arguments)
    if arguments.target == TARGET:
        folder = write_bento_folder(arguments.bundle, arguments.output)
        return Result(deploying.bento_data(folder), deploying.bento_text(folder))
    deployed = deploy(
        arguments.target, arguments.bundle, arguments.image, arguments.name, arguments.output, arguments.workers
    )
    return Result(deploying.deployed_data(deployed), deploying.deployed_text(deployed))


def ls(arguments: argparse.Namespace) -> Result:
    """Find runs and studies."""
    from runcard.cli.listed import listing_text
    from runcard.cli.listing import list_runs, list_studies
    from runcard.cli.predicting import split_names
    from runcard.cli.terminal import width_of

    best = arguments.sort == "best"
    studies = [] if arguments.name else list_studies(arguments.studies_dir)
    if not Path(arguments.runs_dir).is_dir() and not studies:
        other = advise("--runs-dir", "FOLDER")
        raise CardError(f"there is no folder {arguments.runs_dir}: nothing was fitted here yet, or say {other}")
    columns = split_names(arguments.columns) if arguments.columns else None
    rows = list_runs(arguments.runs_dir, name=arguments.name, best_first=best, columns=columns)
    if arguments.name and not rows:
        raise CardError(f"--name {arguments.name}: there are no runs of this name in {arguments.runs_dir}")
    text = listing_text(rows, studies, width_of(_stream(arguments)), by_metric=best)
    return Result({"runs": rows, "studies": studies}, text)


def rm(arguments: argparse.Namespace) -> Result:
    """Runs, studies and bundles → gone, or none of them."""
    from runcard.cli import removing
    from runcard.removing.judge import judge
    from runcard.removing.remove import remove_all

    found = judge(arguments.names)
    described = removing.describe(found)
    text = removing.removals_text(described)
    kept = {"removed": [], "would_remove": described}
    if arguments.dry_run:
        return Result(kept, f"{text}\nnothing is removed")
    if not arguments.yes:
        print(text, file=sys.stderr)
        if arguments.json or not removing.can_ask():
            removing.refuse_unasked()
        if not removing.is_agreed(len(found)):
            return Result(kept, "nothing is removed")
    remove_all(found)
    removed = f"removed {len(found)} thing{'s' * (len(found) != 1)}"
    return Result({"removed": described, "would_remove": []}, f"{text}\n{removed}" if arguments.yes else removed)


def compare(arguments: argparse.Namespace) -> Result:
    """Cards → where they differ."""
    from runcard.cli.comparing import compare, compared_text

    if arguments.cards is None:
        words = advise("--cards", "RUN", "RUN")
        raise CardError(f"what shall be compared? Say {words}, with run folders, trials of a study, or card.yaml files")
    compared = compare(arguments.cards)
    return Result(compared.data, compared_text(compared, _stream(arguments)))


def doctor(arguments: argparse.Namespace) -> Result:
    """What this machine has and lacks."""
    from runcard.cli.doctor import examine

    findings = examine(Path(arguments.runs_dir))
    marks = {"ok": "ok  ", "missing": "MISSING", "note": "note"}
    text = "\n".join(f"{marks[item['state']]:8}{item['what']}: {item['is']}" for item in findings)
    sound = all(item["state"] != "missing" for item in findings)
    return Result({"ok": sound, "findings": findings}, text, 0 if sound else 3)


def _stream(arguments: argparse.Namespace) -> TextIO:
    """Where the text for people goes, which may be a terminal or not."""
    return sys.stderr if arguments.json else sys.stdout


def _loaded(arguments: argparse.Namespace) -> Card | Plan:
    """What was typed, judged: one card, or a sweep."""
    from runcard import api
    from runcard.cli.text import said_to_people

    with said_to_people():
        return api.load_checked(arguments.overrides, arguments.config_dir, many=arguments.multirun)


def _is_for_hydra(arguments: argparse.Namespace) -> bool:
    return bool(arguments.cfg or arguments.info)


def _hydra(arguments: argparse.Namespace) -> Result:
    """What the flags that are Hydra's own ask for; a card that they print is judged before."""
    from runcard.card.hydra_flags import show_config, show_info

    if arguments.cfg in ("job", "all"):
        _loaded(arguments)
    overrides, config_dir = arguments.overrides, arguments.config_dir
    texts = []
    if arguments.cfg:
        texts.append(show_config(overrides, config_dir, arguments.cfg, resolve=arguments.resolve))
    if arguments.info:
        texts.append(show_info(overrides, config_dir, arguments.info))
    text = "\n".join(text.rstrip("\n") for text in texts)
    return Result({"text": text}, text)
