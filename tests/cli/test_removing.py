"""``rm``: what goes, what stays and why, and that nothing is half there whatever ends the command."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

import runcard
from runcard import files
from runcard.errors import RunError, Stopped
from runcard.evaluation.predictor import Run
from runcard.removing import remove as removing
from runcard.removing.judge import judge
from tests.conftest import TINY, Command

ID = "20260101-000000-abcdef"


@pytest.fixture
def a_run(wine_run: Run, away: Path) -> Path:
    path = away / "runs" / "wine-mlp" / ID
    shutil.copytree(wine_run.path, path)
    return path


@pytest.fixture
def a_study(wine_run: Run, away: Path) -> Path:
    """A study of one trial, as far as ``rm`` looks at it."""
    path = away / "studies" / "mine"
    (path / "cards").mkdir(parents=True)
    summary = {"trials": [{"state": "COMPLETE"}], "n_trials": 2, "metric": "val/accuracy", "best": None}
    (path / "study.json").write_text(json.dumps(summary))
    (path / "plan.json").write_text(json.dumps({"plan": {"settings": {}}}))
    shutil.copytree(wine_run.path, path / "0")
    return path


def listed(command: Command) -> str:
    Path("runs").mkdir(exist_ok=True)
    return command("ls").out


def test_a_run_goes_with_its_empty_folder(command: Command, a_run: Path) -> None:
    said = command("rm", f"runs/wine-mlp/{ID}", "--yes")
    assert (said.code, said.err) == (0, "")
    first, last = said.out.splitlines()
    assert first.startswith(f"run  runs/wine-mlp/{ID}  0.")
    assert "MB" in first
    assert "accuracy " in first
    assert last == "removed 1 thing"
    assert not a_run.parent.exists()
    assert ID not in listed(command)


def test_others_of_its_name_stay(command: Command, a_run: Path) -> None:
    other = a_run.with_name("20260102-000000-abcdef")
    shutil.copytree(a_run, other)
    assert command("rm", str(a_run), "--yes").code == 0
    assert [path.name for path in a_run.parent.iterdir()] == [other.name]


def test_a_study_goes_with_its_trials(command: Command, a_study: Path) -> None:
    said = command("rm", str(a_study), "--yes", "--json")
    (removed,) = said.json["removed"]
    assert (removed["kind"], removed["name"], removed["done"], removed["n_trials"]) == ("study", str(a_study), 1, 2)
    assert removed["bytes"] > 1000
    assert "1 of 2 trials" in said.err
    assert not any(a_study.parent.iterdir())
    assert "mine" not in listed(command)


def test_a_trial_stays(command: Command, a_study: Path) -> None:
    said = command("rm", "studies/mine/0", "--yes")
    assert (said.code, "studies/mine/0 is part of the study" in said.err) == (2, True)
    assert f"`runcard rm {a_study}`" in said.err


@pytest.mark.slow  # by default one that is made by hand, and the one of README.md
def test_a_sweep_is_removed(command: Command) -> None:
    assert command("fit", "-m", "data=wine", "model=linear", "seed=1,2", *TINY, "sweep.name=mine").code == 0
    assert command("rm", "studies/mine/1", "--yes").code == 2
    assert command("rm", "studies/mine", "--yes").code == 0
    assert not any(Path("studies").iterdir())


def test_what_other_runs_have_of_it_is_said(command: Command, a_run: Path) -> None:
    further, again = (a_run.with_name(f"2026010{day}-000000-abcdef") for day in (2, 3))
    for other in (further, again):
        shutil.copytree(a_run, other)
    (further / "parent.json").write_text(json.dumps({"run": str(a_run)}))
    assert command("rm", str(a_run), "--dry-run").out.count("note: ") == 1
    (a_run / "rows.parquet").touch()
    (again / "card.yaml").write_text(f"data: {{path: {a_run}/rows.parquet}}\n")
    said = command("rm", str(a_run), "--yes", "--json")
    went_on, kept, learned = said.json["removed"][0]["notes"]
    assert f"{further} went on from it" in went_on
    assert "rows.parquet" in kept
    assert f"{again} learned from these rows" in learned


def test_nothing_goes_unasked(command: Command, a_run: Path) -> None:
    for words in ([], ["--json"]):
        said = command("rm", str(a_run), *words)
        assert said.code == 2
        assert "nothing is removed, for nobody can be asked here" in said.err
        assert f"runs/wine-mlp/{ID}" in said.err, "what would go"
    said = command("rm", str(a_run), "--dry-run", "--json")
    assert (said.code, said.json["removed"], len(said.json["would_remove"])) == (0, [], 1)
    assert command("rm", str(a_run), "--dry-run").out.endswith("nothing is removed\n")
    assert a_run.is_dir()


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
@pytest.mark.whole
def test_it_asks(answer: str, gone: bool, command: Command, a_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runcard.cli.removing.can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    said = command("rm", str(a_run))
    assert said.err.index(ID) < said.err.index("remove 1 thing? [y/N] ")
    assert (said.code, a_run.exists()) == (0, not gone)


def test_all_are_judged_before_one_goes(command: Command, a_run: Path) -> None:
    Path("empty").mkdir()
    Path("project").mkdir()
    Path("project/card.yaml").touch()
    Path("project/plan.json").touch()
    names = ["nowhere", "empty", "project", "runs", str(a_run / "card.yaml"), ".", ""]
    said = command("rm", str(a_run), *names, "--yes")
    assert (said.code, a_run.is_dir()) == (2, True)
    head, *reasons = said.err.splitlines()
    assert head == "runcard: nothing is removed: "
    assert len(reasons) == len(names)
    assert all("`runcard ls` lists" in reason for reason in reasons)
    assert "project is no run or study: it holds no folder cards" in said.err


def test_what_is_named_twice_goes_once(command: Command, a_run: Path) -> None:
    assert len(command("rm", str(a_run), f"runs/wine-mlp/../wine-mlp/{ID}/", "--yes", "--json").json["removed"]) == 1


def test_what_is_being_written_stays(command: Command, a_run: Path, a_study: Path) -> None:
    for folder, lock in ((a_run, ".lock"), (a_study, ".lock"), (a_study, ".0.lock"), (a_study, "0/.lock")):
        with files.locked(folder / lock, "busy"):
            said = command("rm", str(folder), "--yes")
        assert (said.code, f"{folder} is being written by another process" in said.err) == (2, True), said.err
        assert command("rm", str(folder), "--dry-run").code == 0


def test_who_began_while_its_owner_was_asked_is_seen(a_run: Path) -> None:
    found = judge([a_run])
    with files.locked(a_run / ".lock", "busy"), pytest.raises(RunError, match="is being written"):
        removing.remove_all(found)
    assert (a_run / "card.yaml").is_file()


def test_nothing_goes_through_a_link(command: Command, a_run: Path, a_study: Path) -> None:
    Path("link").symlink_to(a_run)
    Path("names").symlink_to(a_run.parent)
    Path("runs/other").symlink_to(a_study)
    for name in ("link", f"names/{ID}", "runs/other"):
        said = command("rm", name, "--yes")
        assert (said.code, "nothing is removed through links" in said.err) == (2, True), said.err
    assert a_run.is_dir()
    assert a_study.is_dir()


def test_a_runs_folder_on_another_disk_is_the_owners_order(command: Command, a_run: Path) -> None:
    Path("disk").mkdir()
    Path("runs").rename("disk/runs")
    Path("runs").symlink_to("disk/runs")
    said = command("rm", f"runs/wine-mlp/{ID}", "--yes")
    assert (said.code, f"disk/runs/wine-mlp/{ID}" in said.out) == (0, True), said.err
    assert not any(Path("disk/runs").iterdir())


def test_links_within_lead_nowhere(command: Command, a_run: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    (a_run / "notes").symlink_to(Path("mine").absolute())
    assert command("rm", str(a_run), "--yes").code == 0
    assert Path("mine/notes.txt").is_file()


def test_what_is_anothers_stays(command: Command, a_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    if a_run.stat().st_uid == 0:  # whose files are nobody else's
        os.chown(a_run / "card.yaml", 1234, -1)
    said = command("rm", str(a_run), "--yes")
    assert (said.code, "belongs to another user" in said.err) == (2, True), said.err


def test_the_folder_that_one_stands_in_stays(command: Command, a_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(a_run / "checkpoints")
    assert "leave it first" in command("rm", "..", "--yes").err


def test_a_removal_that_dies_leaves_what_nobody_sees(
    command: Command, a_study: Path, a_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_study.with_name("other")
    shutil.copytree(a_study, other)
    with monkeypatch.context() as patch:
        patch.setattr(removing, "_delete", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            command("rm", str(a_study), "--yes")
    (left,) = (path for path in a_study.parent.iterdir() if path.name.startswith(".mine."))
    assert (left / "0" / "card.yaml").is_file()
    said = command("ls", "--json").json
    assert [study["study"] for study in said["studies"]] == ["studies/other"]
    assert [run["run"] for run in command("ls", "--runs-dir", "studies", "--json").json["runs"]] == ["studies/other/0"]
    assert "leaves while it is made or removed" in command("rm", str(left), "--yes").err
    assert command("rm", str(other), "--yes").code == 0
    assert not any(a_study.parent.iterdir())


def test_a_signal_waits_until_one_is_gone(a_run: Path, a_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = removing._delete

    def told(hidden: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        whole(hidden)

    def stop(signum: int, _: object) -> None:
        raise Stopped(signum)

    monkeypatch.setattr(removing, "_delete", told)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped) as stopped:
            runcard.remove(a_run, a_study)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped.value.go_on == f"runcard rm --yes {a_study}"
    assert not a_run.parent.exists()
    assert (a_study / "study.json").is_file()


def test_what_the_system_refuses_is_said(a_run: Path, a_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(path: Path, _: Path) -> None:
        if Path(path) == a_study:
            raise OSError(18, "Invalid cross-device link")
        shutil.rmtree(path)

    monkeypatch.setattr("runcard.removing.remove.os.rename", rename)
    with pytest.raises(RunError, match=f"cannot remove {a_study}: Invalid cross-device link. Gone before it: {a_run}"):
        runcard.remove(a_run, a_study)


def test_from_python(a_run: Path) -> None:
    (one,) = runcard.remove(a_run, dry_run=True)
    assert (one.kind, one.path, a_run.is_dir()) == ("run", a_run, True)
    assert runcard.remove(a_run) == [one]
    assert not a_run.exists()
    with pytest.raises(RunError, match="there is no folder"):
        runcard.remove(a_run)
