"""Sweeps through the command line: trials, the winner, failures, and that the same seed tries the same."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import polars as pl
import psutil
import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

import runcard
from runcard import files
from runcard.card.groups import shipped_conf
from runcard.cli import main as cli
from runcard.errors import Stopped
from runcard.evaluation.predictor import Run
from runcard.tuning import report
from runcard.tuning.trials import Trials
from tests.conftest import HANG_S, TINY, Command, Said
from tests.servers import BIN
from tests.waiting import wait_for

SPACE = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "model.hidden=choice([64],[128,128])"]
FEW = ["data=wine", "trainer.max_epochs=3"]
BROKEN = "optimizer.lr=1e-3,1e9"  # the second diverges
RANDOM = ["fit", "sweep=random", *FEW, "sweep.name=mine"]
ONE = "seed=choice(1)"


def trials(study: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((Path(study) / "study.json").read_text())["trials"]
    return found


def numbers(study: str) -> list[tuple[dict[str, Any], float]]:
    """What was tried, and what came of it."""
    return [(trial["params"], trial["value"]) for trial in trials(study)]


def ended(states: dict[str, int]) -> dict[str, int]:
    """How many trials ended in which way, of the ways that there were."""
    return {state: count for state, count in states.items() if count}


def test_the_plugin_is_the_one_that_hydra_finds(command: Command) -> None:
    names = [found.__name__ for found in Plugins.instance().discover(Sweeper)]
    assert "RuncardSweeper" in names
    assert "hydra_plugins.runcard_sweeper.RuncardSweeper" in command("fit", "-m", "--cfg", "hydra").out


def made(factory: pytest.TempPathFactory, *words: str) -> Said:
    """What a command says in a folder of its own, for a study that several tests read."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(factory.mktemp("made"))
        patch.setattr(report, "_pictures", lambda *_: {})  # as conftest.py does it for each test
        code = cli.run(words)
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """A study of a sampler that learns; tests read it and must not write to it."""
    return made(tmp_path_factory, "fit", "-m", *FEW, *SPACE, "sweep.n_trials=3", "sweep.name=first", "--json")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """A study of every point; tests read it and must not write to it."""
    return made(tmp_path_factory, "fit", "-m", "data=wine", *TINY[:2], "seed=1,2", "model=linear,mlp", "--json")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """The study of ``RANDOM``, of two trials; tests read it and must not write to it."""
    return made(tmp_path_factory, *RANDOM, "sweep.n_trials=2", "--json")


@pytest.fixture
def mine(drawn: Said, away: Path) -> Path:
    """A copy of ``drawn`` where its command would look for it."""
    return Path(shutil.copytree(drawn.json["study"], away / "studies" / "mine"))


def test_a_sweep_names_its_winner(learned: Said) -> None:
    assert learned.code == 0, learned.err
    study, best, states = Path(learned.json["study"]), learned.json["best"], learned.json["states"]
    assert (study.parts[-2:], ended(states)) == (("studies", "first"), {"COMPLETE": 3})
    summary = json.loads((study / "study.json").read_text())
    assert summary["best"] == best
    assert best["value"] == max(trial["value"] for trial in summary["trials"])
    assert best["run"] == str(study / str(best["number"]))
    assert set(best["params"]) == {"optimizer.lr", "model.hidden"}
    run = runcard.load_run(best["run"])
    assert run.metrics["val/accuracy"] == best["value"]
    assert run.card.optimizer.lr == best["params"]["optimizer.lr"]
    for text in (f"winner: trial {best['number']}", "optimizer.lr=", f"studies/first/{best['number']}"):
        assert text in learned.err
    # One line a trial, while it goes on.
    assert [line.split(":")[0] for line in learned.err.splitlines() if line.startswith("trial ")] == [
        f"trial {number}" for number in range(3)
    ]


def test_the_database_is_optunas(learned: Said, away: Path) -> None:
    shutil.copy(Path(learned.json["study"]) / "study.db", away)
    (summary,) = optuna.get_all_study_summaries("sqlite:///study.db")
    stored = optuna.load_study(study_name=summary.study_name, storage="sqlite:///study.db").trials
    assert [trial.number for trial in stored] == [0, 1, 2]
    assert [trial.value for trial in stored] == [trial["value"] for trial in trials(learned.json["study"])]


def test_a_trial_is_a_run_like_any_other(learned: Said, command: Command, away: Path) -> None:
    best = Path(shutil.copytree(learned.json["best"]["run"], away / "best"))
    alone = command("fit", str(best / "card.yaml"), "--json").json
    assert alone["metrics"] == runcard.load_run(best).metrics
    for name in ("best.ckpt", "last.ckpt"):
        assert (best / "checkpoints" / name).read_bytes() == Path(alone["run"], "checkpoints", name).read_bytes()
    assert command("evaluate", str(best)).code == 0
    assert (best / "report.html").is_file()


def test_the_same_seed_tries_the_same_and_gets_the_same(learned: Said, command: Command) -> None:
    words = ["fit", "-m", *FEW, *SPACE, "sweep.n_trials=3", "--json"]
    first = numbers(learned.json["study"])
    assert numbers(command(*words).json["study"]) == first
    other = numbers(command(*words, "sweep.n_trials=2", "sweep.seed=4").json["study"])
    assert other[1][0] != first[1][0]


def test_the_first_trial_is_the_card_as_it_is(drawn: Said, command: Command) -> None:
    plain = command("fit", *FEW, "report=false", "--json").json["metrics"]
    tpe = command("fit", "sweep=tpe", *FEW, "sweep.n_trials=1", "--json")
    for study in (drawn, tpe):
        first = trials(study.json["study"])[0]
        assert first["params"] == {"optimizer.lr": 0.003, "optimizer.weight_decay": 0.01}
        assert first["value"] == plain["val/accuracy"]


def test_a_grid_tries_every_point_in_order(grid: Said) -> None:
    study = Path(grid.json["study"])
    points = [(trial["params"]["seed"], trial["params"]["model"]) for trial in trials(str(study))]
    assert points == [(seed, model) for seed in (1, 2) for model in ("linear", "mlp")]
    cards = [yaml.safe_load((study / str(number) / "card.yaml").read_text()) for number in range(4)]
    assert [card["seed"] for card in cards] == [1, 1, 2, 2]
    kept = sorted(path.name for path in (study / "cards").iterdir())
    assert kept == ["linear.yaml", "mlp.yaml"]
    for name in kept:
        assert runcard.load_card([str(study / "cards" / name)]).data.name == "wine"  # type: ignore[union-attr]


def test_a_table_for_a_grid(grid: Said) -> None:
    rows = grid.json["table"]
    assert [sorted(row["params"]) for row in rows] == [["model"]] * 2
    assert [row["n"] for row in rows] == [2, 2]
    assert rows[0]["mean"] >= rows[1]["mean"]
    head, first, second = grid.err.partition("\n   model")[2].splitlines()[:3]
    assert "mean val/accuracy" in head
    assert first == f"*  {rows[0]['params']['model']:8}{rows[0]['mean']:.4f} ± {rows[0]['std']:.4f} (n=2)"
    assert second.startswith(f"   {rows[1]['params']['model']}")


def test_a_file_alone_makes_a_sweep(command: Command) -> None:
    said = command("fit", "sweep=grid", "data=wine", *TINY[:2], "sweep.n_trials=2", "--json")
    assert ended(said.json["states"]) == {"COMPLETE": 2}


def test_a_failed_trial_is_recorded_and_the_sweep_goes_on(command: Command) -> None:
    said = command("fit", "-m", *FEW, BROKEN, "--json")
    assert said.code == 0
    assert ended(said.json["states"]) == {"COMPLETE": 1, "FAIL": 1}
    assert "1 of 2 trials failed" in said.err
    (failed,) = [trial for trial in trials(said.json["study"]) if trial["state"] == "FAIL"]
    assert (failed["params"]["optimizer.lr"], failed["value"]) == (1e9, None)
    assert "Lower optimizer.lr" in failed["error"]
    assert "ended early" in (Path(failed["run"]) / "run.log").read_text()


def test_no_trial_is_left(command: Command) -> None:
    said = command("fit", "-m", *FEW, "optimizer.lr=1e9,1e10", "sweep.name=lost")
    assert said.code == 2
    assert "none of the 2 trials" in said.err
    assert "Lower optimizer.lr" in said.err
    assert command("package", "studies/lost").code == 2
    assert "has no winner" in command("package", "studies/lost").err


def test_less_is_better_where_it_is(command: Command) -> None:
    words = ["data=diabetes", "trainer.max_epochs=2", "optimizer.lr=1e-5,1e-2", "problem.metric=rmse"]
    said = command("fit", "-m", *words)
    assert "winner: trial 1, val/rmse" in said.out


def test_another_number_may_decide(command: Command) -> None:
    study = command("fit", "-m", *FEW, "optimizer.lr=1e-4,1e-2", "sweep.metric=val/loss", "--json").json
    losses = [runcard.load_run(trial["run"]).metrics["val/loss"] for trial in trials(study["study"])]
    assert study["best"]["value"] == min(losses)


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["data=wine", "seed=1,2", "sweep.metric=val/fame"], "nobody logs 'val/fame'", 2),
        (["data=wine", "seed=1,2", "sweep.metric=val/f1"], "problem.metric=NAME", 2),
        (["data=wine,diabetes"], "the trials predict 'cultivar' and 'progression'", 2),
        (["data=table", "data.path=nowhere.csv", "problem.target=y", "seed=1,2"], "there is no file", 4),
        (["data=wine", "seed=1,2", "sweep.studies_dir=/proc/none"], "sweep.studies_dir=FOLDER", 2),
        ([], "sweep.space: is empty", 2),
        (["sede=1,2"], "Did you mean seed", 2),
    ],
)
def test_nothing_is_tried_on_a_wrong_sweep(words: list[str], says: str, code: int, command: Command) -> None:
    said = command("fit", "-m", *words)
    assert (said.code, says in said.err) == (code, True), said.err
    assert not Path("studies").exists()
    assert said.err.count("\n") < 10


def test_a_folder_with_an_odd_name(command: Command) -> None:
    name = "é a?b#c 100%"
    said = command("fit", "-m", "data=wine", *TINY[:2], ONE, f'sweep.studies_dir="{name}"', "--json")
    assert said.code == 0, said.err
    assert Path(said.json["study"]).parent == Path(name).absolute()
    assert Path(said.json["study"], "study.db").is_file()
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-m", "seed=1,2"], ["sweep=grid", "sweep.n_trials=2"]])
def test_hydras_own_multirun_comes_here_too(words: list[str], away: Path) -> None:
    program = (
        "import hydra, runcard\nfrom runcard.card.groups import shipped_conf\n"
        "hydra.main(version_base='1.3', config_path=str(shipped_conf()), config_name='config')(runcard.fit)()\n"
    )
    command = [sys.executable, "-c", program, *words, "data=wine", *TINY[:2]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    (summary,) = away.glob("studies/*/study.json")
    assert ended(json.loads(summary.read_text())["states"]) == {"COMPLETE": 2}


def test_hydras_own_multirun_reads_no_other_groups_in_silence(away: Path) -> None:
    shutil.copytree(shipped_conf(), away / "conf")
    program = (
        "import hydra, runcard\n"
        "hydra.main(version_base='1.3', config_path='{away}/conf', config_name='config')(runcard.fit)()\n"
    ).replace("{away}", str(away))
    words = [sys.executable, "-c", program, "-m", "seed=1,2", "data=wine", *TINY[:2]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 1, done.stderr  # as Hydra ends where its sweeper fails
    line, _, more = done.stderr.partition("\n")
    assert line == f"a sweep reads the shipped groups and one folder beside them, and not {away}/conf"
    assert "Traceback" not in more
    assert not (away / "studies").exists()


def test_reports_if_they_are_asked_for(command: Command) -> None:
    said = command("fit", "-m", "data=wine", *TINY[:2], ONE, "report=true", "--json")
    assert Path(said.json["best"]["run"], "report.html").is_file()


def test_the_same_command_again_changes_nothing(command: Command) -> None:
    words = ["fit", "-m", "data=wine", *TINY[:2], "seed=1,2", "sweep.name=mine", "--json"]
    first = command(*words)
    before = {path: path.read_bytes() for path in Path("studies/mine").rglob("*") if path.is_file()}
    again = command(*words)
    assert (again.code, again.json["best"]) == (0, first.json["best"])
    for resumed in ("studies/mine", "studies/mine/study.json"):
        assert command("resume", resumed, "--json").json["best"] == first.json["best"]
    written = ("study.db", "plan.json", "cards")
    for path, content in before.items():
        assert path.read_bytes() == content or path.relative_to("studies/mine").parts[0].startswith(written), path


def test_more_of_the_same(drawn: Said, mine: Path, command: Command) -> None:
    more = numbers(command(*RANDOM, "sweep.n_trials=3", "--json").json["study"])
    assert len(more) == 3
    assert more[:2] == numbers(drawn.json["study"])
    assert numbers(command(*RANDOM, "sweep.n_trials=3", "sweep.name=whole", "--json").json["study"]) == more


def test_a_folder_that_was_moved(drawn: Said, mine: Path, command: Command) -> None:
    Path("elsewhere").mkdir()
    mine.rename("elsewhere/moved")
    plan = json.loads(Path("elsewhere/moved/plan.json").read_text())
    plan["plan"]["settings"]["n_trials"] = 3
    Path("elsewhere/moved/plan.json").write_text(json.dumps(plan))
    again = command("resume", "elsewhere/moved", "--json")
    assert again.code == 0, again.err
    assert ended(again.json["states"]) == {"COMPLETE": 3}
    assert numbers("elsewhere/moved")[:2] == numbers(drawn.json["study"])
    assert not mine.exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (["optimizer.lr=interval(0.1,0.2)"], "optimizer.lr"),
        pytest.param(["sweep.metric=val/loss"], "val/loss", marks=pytest.mark.slow),
        pytest.param(["model=linear"], "model", marks=pytest.mark.slow),
        (["trainer.max_epochs=4"], "trainer.max_epochs"),
    ],
)
def test_another_sweep_of_the_same_name(changed: list[str], says: str, mine: Path, command: Command) -> None:
    words = [*RANDOM, "sweep.n_trials=1"]
    kept = [word for word in words if word.partition("=")[0] not in {one.partition("=")[0] for one in changed}]
    again = command(*kept, *changed)
    assert again.code == 2
    for text in (says, "another space, objective or card", "sweep.if_exists=new"):
        assert text in again.err
    other = command(*kept, *changed, "sweep.if_exists=new", "--json")
    assert Path(other.json["study"]).name == "mine-2"
    assert command(*words, "sweep.if_exists=refuse").code == 2


def test_check_looks_at_the_whole_space(command: Command) -> None:
    said = command("check", "-m", "data=wine", "seed=1,2", "model=linear,mlp")
    assert (said.code, "4 trials, sampler grid" in said.out) == (0, True)
    assert command("check", "sweep=tpe", "--json").json["space"]["optimizer.lr"] == "tag(log, interval(1e-4, 1e-1))"
    assert command("check", "-m", "model.hidden=[0],[1]").code == 2
    assert not Path("studies").exists()


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["data=wine", "seed=1,2", "sweep.metric=val/los"], "nobody logs 'val/los'", 2),
        (["data=wine,diabetes"], "the trials predict 'cultivar' and 'progression'", 2),
        (["data=table", "data.path=nowhere.csv", "problem.target=y", "seed=1,2"], "there is no file", 4),
    ],
)
def test_check_finds_what_fit_would(words: list[str], says: str, code: int, command: Command) -> None:
    said = command("check", "-m", *words)
    assert (said.code, says in said.err) == (code, True), said.err


def test_check_says_what_decides(table: Path, command: Command) -> None:
    assert "the sweep is right; val/accuracy decides" in command("check", "-m", "data=wine", "seed=1,2").out
    words = ["data=table", f"data.path={table}", "problem.target=churned", "seed=1,2"]
    assert "as far as can be told before the data is read" in command("check", "-m", *words).out


def test_trials_are_listed_as_runs(mine: Path, command: Command) -> None:
    rows = command("ls", "--runs-dir", "studies", "--name", "mine", "--json").json["runs"]
    assert [(Path(row["run"]).name, row["state"]) for row in rows] == [(name, "finished") for name in "10"]


def test_more_trials_than_points_is_said(command: Command) -> None:
    words = ["sweep=random", "seed=1,2", "optimizer.lr=0.1", "optimizer.weight_decay=0.1", "sweep.n_trials=3"]
    said = command("fit", *words, "data=wine", *TINY[:2])
    assert "the space has 2 points, so some are tried more than once" in said.err


def test_what_was_left_out_of_the_data_is_said_once(table: Path, command: Command) -> None:
    words = ["data=table", f"data.path={table}", "problem.target=churned", "data.kinds={city: ignore}"]
    alone, many = (command("fit", *start, *words, *TINY).err for start in ([], ["-m", "seed=1,2"]))
    notes = [line for line in alone.splitlines() if "left out" in line]
    assert notes == [line for line in many.splitlines() if "left out" in line]


def test_the_same_from_python(wine_run: Run) -> None:
    study = runcard.sweep(runcard.load_sweep(["data=wine", *TINY[:2], "seed=1,2"]))
    assert study.best["value"] == max(trial["value"] for trial in study.summary["trials"])
    run = runcard.load_run(study.best["run"])
    assert run.metrics["val/accuracy"] == study.best["value"]
    assert (run.card.seed, run.card.data) == (study.best["number"] + 1, wine_run.card.data)


def test_data_is_read_once(monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    read: list[str] = []
    original = pl.read_csv

    def counted(source: Any, **settings: Any) -> pl.DataFrame:
        read.append(str(source))
        return original(source, **settings)

    monkeypatch.setattr(pl, "read_csv", counted)
    words = ["data=table", f"data.path={table}", "problem.target=churned", *TINY[:2]]
    runcard.fit(runcard.load_card([*words, "report=false"]))
    once, read[:] = len(read), []
    runcard.sweep(runcard.load_sweep([*words, "seed=1,2"]))
    assert len(read) == once


OFTEN = [pytest.param(where, marks=pytest.mark.slow) for where in ("two at once", "ask", "note", "summary")]


@pytest.mark.parametrize("where", ["tell", *OFTEN])
def test_a_signal_while_the_study_is_written_waits(
    where: str, monkeypatch: pytest.MonkeyPatch, command: Command, away: Path
) -> None:
    calls = 0

    def disturbed(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:
                for _ in range(2 if where == "two at once" else 1):
                    signal.raise_signal(signal.SIGTERM)
            return original(*arguments, **settings)

        return call

    place: Any = {"summary": files, "tell": optuna.Study}.get(where, Trials)
    name = {"summary": "write_json", "ask": "_begun", "two at once": "_begun"}.get(where, where)
    original = getattr(place, name)
    monkeypatch.setattr(place, name, disturbed(original))
    words = ["data=wine", "model=linear", *TINY[:2], "seed=1,2,3,4", "sweep.name=cut"]
    with pytest.raises(Stopped, match="SIGTERM") as stopped, stopping():
        runcard.sweep(runcard.load_sweep(words))
    assert stopped.value.go_on == f"runcard resume {away}/studies/cut"
    stored = optuna.load_study(study_name="cut", storage=f"sqlite:///{away}/studies/cut/study.db").trials
    states = [trial.state.name for trial in stored if trial.state.name != "WAITING"]
    assert states.count("RUNNING") <= 1
    written = json.loads(Path("studies/cut/study.json").read_text())
    assert [trial["state"] for trial in written["trials"]] == states
    for trial in written["trials"]:
        assert (trial["state"] == "COMPLETE") == Path(trial["run"], "metrics.json").is_file()
    monkeypatch.setattr(place, name, original)
    assert len(runcard.resume_sweep("studies/cut").summary["trials"]) == 4


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_nothing_is_left_of_a_study_that_did_not_begin(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    words = ["fit", "-m", "data=wine", *TINY[:2], ONE, "sweep.name=mine"]
    with monkeypatch.context() as broken:
        broken.setattr(optuna, "create_study", lambda **_: 1 / 0)
        assert command(*words).code == 1
    assert not Path("studies/mine").exists()
    assert command(*words).code == 0


@pytest.mark.slow
def test_a_disk_that_is_full_ends_the_sweep_in_one_line(away: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000,) * 2)"
    full = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    words = ["fit", "-m", "data=wine", "model=linear", *TINY[:2], "seed=range(0,5000)", "sweep.name=big"]
    done = subprocess.run(
        [sys.executable, "-c", full, str(BIN / "runcard"), *words], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"runcard: cannot write {away}/studies/big/study.db: ")
    assert "Traceback" not in done.stderr
    summary = json.loads((away / "studies/big/study.json").read_text())
    assert summary["states"]["COMPLETE"] > 0


@pytest.mark.slow
def test_a_signal_ends_the_sweep_and_keeps_what_was_done(away: Path) -> None:
    words = [str(BIN / "runcard"), "fit", "-m", "data=wine", "seed=range(0,500)", "sweep.name=long"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=away) as process:
        assert process.stderr is not None
        started = time.monotonic()
        for line in process.stderr:  # until trials were finished
            if line.startswith("trial 2"):
                break
            assert time.monotonic() - started < HANG_S
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(HANG_S) == 143
    assert "Traceback" not in rest
    summary = json.loads((away / "studies/long/study.json").read_text())
    assert summary["states"]["COMPLETE"] >= 3
    assert summary["n_trials"] == 500
    assert summary["states"]["FAIL"] == 0
    assert f"go on with `runcard resume {away}/studies/long`" in rest
    assert Path(summary["best"]["run"], "metrics.json").is_file()


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_was_killed_is_gone_on_with(away: Path, command: Command) -> None:
    words = ["fit", "sweep=random", "data=wine", "model=linear", "trainer.max_epochs=60"]
    words += ["sweep.n_trials=4", "sweep.workers=2", "sweep.name=killed"]
    with subprocess.Popen([str(BIN / "runcard"), *words], stderr=subprocess.PIPE, text=True, cwd=away) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("trial ") and "(1 of 4 done" in line:
                break
        running = [trial for server in psutil.Process(process.pid).children() for trial in server.children()]
        process.kill()
    wait_for(lambda: all(gone(trial) for trial in running))
    before = {one["number"]: one for one in trials("studies/killed") if one["state"] == "COMPLETE"}
    again = command(*words)
    assert again.code == 0, again.err
    after = trials("studies/killed")
    assert [one["number"] for one in after] == list(range(4))
    assert {one["state"] for one in after} == {"COMPLETE"}
    assert all(after[number] == one for number, one in before.items())
    assert before


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["sweep=random", "sweep.name=a/b"], "sweep.name", 2),
        (["sweep=random", "sweep.storage=sqlite:///x.db", "sweep.name=a"], "sweep.storage", 2),
        (
            ["sweep=random", "sweep.storage=postgresql://me@127.0.0.1:9/db", "sweep.name=a"],
            "cannot reach the storage",
            2,
        ),
        (["sweep=random", "sweep.workers=0"], "sweep.workers", 2),
        (["sweep=random", "sweep.pruner=medain"], "Did you mean median?", 2),
        (["sweep=gpp"], "Did you mean gp?", 2),
    ],
)
def test_bad_settings_of_a_sweep(words: list[str], says: str, code: int, command: Command) -> None:
    said = command("fit", *words, "data=wine", *TINY[:2])
    assert (said.code, says in said.err) == (code, True), said.err
    assert said.err.count("\n") < 10
    assert not Path("studies/a").exists()


def test_several_objectives_through_the_command_line(command: Command) -> None:
    words = ["sweep=random", "sweep.metric=[val/accuracy,size_mb]", "sweep.space={}", "model.hidden=[4],[64,64]"]
    said = command("fit", *words, "data=wine", *TINY[:2], "sweep.n_trials=2", "sweep.workers=2", "--json")
    assert said.code == 0, said.err
    assert {tuple(one["params"]["model.hidden"]) for one in said.json["front"]} <= {(4,), (64, 64)}
    assert said.json["best"] == said.json["front"][0]
    assert "no other beats in every objective" in said.err


def test_a_pruned_trial_is_told_as_one(command: Command) -> None:
    words = ["data=wine", "optimizer.lr=1e-2,1e-9", "trainer.max_epochs=6"]  # the second learns nothing
    words += ["sweep.pruner=threshold", "sweep.pruning.lower=0.7", "sweep.pruning.warmup_epochs=3", "sweep.workers=2"]
    said = command("fit", "-m", *words, "--json")
    assert ended(said.json["states"]) == {"COMPLETE": 1, "PRUNED": 1}
    assert "pruned after" in said.err
    _, pruned = trials(said.json["study"])
    assert pruned["state"] == "PRUNED"
    assert len(pruned["reports"]) == pruned["epochs"] < 6
    assert command("resume", pruned["run"], "--json").json["metrics"]["epochs"] == 6
