"""Projects as ``init`` makes them: from real files, checked, fitted and tested as their owner would; or not at all."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sklearn import datasets

import runcard
from runcard import files
from runcard.card import check
from runcard.data.looking.look import Look
from runcard.data.survey import Survey, Truth
from runcard.errors import RunError, Stopped
from runcard.starting import cards, project
from runcard.yamltext import parse_yaml
from tests.conftest import HANG_S, TINY, Command, customers

FIT = [*TINY, "--json"]


def bunch(name: str, target: str) -> pl.DataFrame:
    found = getattr(datasets, f"load_{name}")()
    columns = {str(column): found.data[:, place] for place, column in enumerate(found.feature_names)}
    truth = found.target if name == "diabetes" else found.target_names[found.target]
    return pl.DataFrame(columns | {target: truth})


def everything() -> pl.DataFrame:
    """Customers with a date, a note, an identifier, a constant and a class that few have."""
    frame = customers(200)
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=day) for day in range(200)]
    rare = np.where(frame["age"].fill_null(45).to_numpy() > 60, "left", "stayed")
    return frame.with_columns(
        since=pl.Series(days),
        note=pl.Series([f"called on a day like any other, number {row}" for row in range(200)]),
        country=pl.lit("DE"),
        churned=pl.Series(rare),
    )


def wide() -> pl.DataFrame:
    random = np.random.default_rng(0)
    frame = pl.DataFrame({f"Sensor {place}: °C": random.normal(size=120) for place in range(40)})
    return frame.with_columns(state=pl.Series(random.integers(3, size=120)))


# File → its rows, the target, the task, the metric, and how many columns are left out.
FILES: dict[str, tuple[Callable[[], pl.DataFrame], str, str, str, int]] = {
    "customers.csv": (customers, "churned", "classification", "accuracy", 1),
    "everything.parquet": (everything, "churned", "classification", "roc_auc", 4),
    "wine.tsv": (lambda: bunch("wine", "cultivar"), "cultivar", "classification", "accuracy", 0),
    "diabetes.csv": (lambda: bunch("diabetes", "progression"), "progression", "regression", "r2", 0),
    "semicolons.csv": (wide, "state", "classification", "accuracy", 0),
}


def write(name: str) -> str:
    frame, kind = FILES[name][0](), Path(name).suffix
    if kind == ".parquet":
        frame.write_parquet(name)
    else:
        frame.write_csv(name, separator="\t" if kind == ".tsv" else ";" if "semi" in name else ",")
    return FILES[name][1]


OFTEN = ("customers.csv", "semicolons.csv")


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in FILES]
)
def test_a_project_can_be_fitted_at_once(name: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write(name)
    said = command("init", "mine", "--data", name, "--target", target, "--json").json
    _, _, task, metric, ignored = FILES[name]
    assert said["data"]["target"] == {"name": target, "task": task, "metric": metric}
    assert [look["kind"] for look in said["data"]["columns"].values()].count("ignore") == ignored
    assert sorted(said["files"]) == sorted(
        str(path.relative_to("mine")) for path in Path("mine").rglob("*") if path.is_file()
    )
    monkeypatch.chdir("mine")
    assert command("check").out.endswith("the card is right\n")
    assert command("check", "model=linear").code == 0
    fitted = command("fit", *FIT)
    assert fitted.code == 0, fitted.err
    assert f"test/{metric}" in fitted.json["metrics"]
    assert "is left out" not in fitted.err
    assert Path(fitted.json["run"]).is_relative_to(Path.cwd() / "runs" / "mine")


def test_digits_without_a_file(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("init", "mine", "--json").json["data"] is None
    monkeypatch.chdir("mine")
    card = command("check", "--json").json["card"]
    assert (card["name"], card["data"]["name"], card["problem"]["target"]) == ("mine", "digits", "digit")
    assert command("fit", *FIT).code == 0


def test_what_is_said_to_people(command: Command) -> None:
    everything().with_columns(copy=pl.col("churned").str.to_uppercase()).write_csv("rows.csv")
    lines = command("init", "my-project", "--data", "rows.csv", "--target", "churned").out.splitlines()
    assert lines[0].endswith("rows.csv: 200 rows, 10 columns")
    assert "'churned': 2 classes, judged by roc_auc; guessing gives 0.5" in lines[1]
    assert "number   'age', 'spent'" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("left out")] == [
        f"left out '{name}'" for name in ("customer", "since", "note", "country")
    ]
    assert "look at  'copy': it alone tells 'churned': would it be known beforehand? If not, say ignore" in lines
    assert "next     cd my-project" in lines
    assert Path("my-project/my_project/models.py").is_file()
    assert 'trust = ["my_project"]' in Path("my-project/pyproject.toml").read_text()


def test_the_files_explain_themselves(table: Path) -> None:
    made = project.start("mine", str(table), "churned")
    for name in made.files:
        text = (made.path / name).read_text()
        assert "$" not in text.replace("$schema=../.schemas/", "") or name.endswith(".json")
        if name.endswith(".yaml"):
            assert max(map(len, text.splitlines())) <= 160
            bare = [line for line in text.splitlines() if re.match(r"\s*[\w.]+:\s+[^#\s]", line) and "#" not in line]
            assert [line for line in bare if not re.match(r"_target_|path|  spent", line)] == []


@pytest.mark.parametrize("kind", ["table", "digits"])
def test_an_editor_finds_nothing_wrong(kind: str, table: Path) -> None:
    made = project.start("mine", *([str(table), "churned"] if kind == "table" else []))
    written = [made.path / name for name in made.files if name.endswith(".yaml")]
    assert len(written) >= 4
    for card in written:
        text = card.read_text(encoding="utf-8")
        (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", text, flags=re.MULTILINE)
        schema = json.loads((card.parent / named).read_text(encoding="utf-8"))
        assert schema["title"] == card.parent.name
        assert not list(Draft202012Validator(schema).iter_errors(parse_yaml(text)))


def test_the_generated_code_is_sound(table: Path) -> None:
    project.start("mine", str(table), "churned")
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--isolated", "--select", "E,F,I,B,UP,D"]
    ruff += ["--ignore", "D103,D107", "--config", "lint.pydocstyle.convention='google'", "--line-length", "120", "mine"]
    done = subprocess.run(ruff, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["everything.parquet", None])
def test_its_own_test_and_the_commands_of_its_readme(name: str | None, installed: Command) -> None:
    words = ["--data", name, "--target", write(name)] if name else []
    assert installed("init", "mine", *words).code == 0
    there = Path("mine")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"], cwd=there, capture_output=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stdout.decode()
    commands = [
        line.partition(" #")[0].split()[1:]
        for line in (there / "README.md").read_text().splitlines()
        if line.startswith("runcard ") and not line.startswith("runcard serve")
    ]
    assert {words[0] for words in commands} == {"check", "fit", "ls", "package"}
    for words in commands:
        said = installed(*words, *(TINY if words[0] == "fit" else []), cwd=there)
        assert said.code == 0, (words, said.err)


NAMES = st.one_of(
    st.text(min_size=1, max_size=20).filter(lambda text: text not in ("???", "_target_")),
    st.sampled_from(["null", "yes", "1", "a.b", "${a}", "a: b", "#", "'", '"', "path", "größe", "a\nb", "x@y"]),
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.text(min_size=1, max_size=20))
def test_odd_names_come_through_the_card(tmp_path: Path, names: list[str], folder: str) -> None:
    path = f"/{folder.replace(os.sep, '_')}/rows.csv"
    looks = {name: Look("number", f"like {name!r}") for name in names[1:]}
    seen = Survey(path, 100, ";", ("", "#"), looks, Truth(names[0], "classification", {names[0]: 60, "#\n": 40}))
    for place, text in cards.of_table("mine", seen).items():
        (tmp_path / "conf" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / place).write_text(text, encoding="utf-8")
    card = check.load(["experiment=mine"], tmp_path / "conf").to_dict()
    assert card["data"]["kinds"] == dict.fromkeys(looks, "number")
    assert (card["data"]["path"], card["problem"]["target"]) == (path, names[0])


def test_odd_names_in_a_file(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a b", "c:d", 'e"f', "g'h", "größe", "#i", "9j", "null", "yes", "k.l", "${m}", "n@o", "p\nq", "[r]", ""]
    random = np.random.default_rng(0)
    frame = pl.DataFrame({name: random.normal(size=40) for name in names}).with_columns(
        pl.Series("t: #", ["x", "y"] * 20)
    )
    frame.write_csv("odd.csv")
    assert command("init", "mine", "--data", "odd.csv", "--target", "t: #").code == 0
    monkeypatch.chdir("mine")
    run = command("fit", *FIT).json["run"]
    assert [feature.name for feature in runcard.load_run(run).signature.features] == names


@pytest.mark.parametrize(("column", "name"), [("churned", "???"), ("age", "_target_")])
def test_a_name_that_no_card_can_hold(column: str, name: str, command: Command) -> None:
    customers(40).rename({column: name}).write_csv("rows.csv")
    said = command("init", "mine", "--data", "rows.csv", "--target", "???" if name == "???" else "churned")
    assert said.code == 2
    assert "has a column that no card can name; rename it" in said.err
    assert not Path("mine").exists()


# What is typed, the exit code, and what is said; "rows.csv" holds customers.
REFUSED = {
    "name": (["2mine"], 2, "'2mine' cannot be the name of a project"),
    "shipped": (["wine"], 2, "ships a choice of this name"),
    "full": (["full"], 2, "is not empty: it holds a, b, c, …"),
    "file": (["rows.csv/mine"], 2, "there is no folder"),
    "a file": (["afile"], 2, "is a file"),
    "nowhere": (["no/mine"], 2, "make it first"),
    "target alone": (["mine", "--target", "churned"], 2, "which are not given; say --data FILE"),
    "no target": (["mine", "--data", "rows.csv"], 2, "There are: 'customer'".replace("There are", "rows.csv has")),
    "wrong target": (["mine", "--data", "rows.csv", "--target", "Churn"], 2, "Did you mean 'churned'?"),
    "no file": (["mine", "--data", "row.csv", "--target", "churned"], 4, "there is no file"),
    "format": (["mine", "--data", "rows.xlsx", "--target", "churned"], 4, "files of rows end in"),
    "few": (["mine", "--data", "few.csv", "--target", "churned"], 4, "10 is the least"),
    "every row": (["mine", "--data", "rows.csv", "--target", "customer"], 4, "hardly two rows a class"),
    "latin": (["mine", "--data", "latin.csv", "--target", "churned"], 4, "latin.csv, line 2: it is not UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_left_of_what_is_refused(case: str, command: Command, away: Path) -> None:
    words, code, message = REFUSED[case]
    customers(100).write_csv("rows.csv")
    customers(6).write_csv("few.csv")
    Path("latin.csv").write_bytes("name,churned\nKöln,yes\n".encode("latin-1") * 20)
    Path("afile").touch()
    for name in "abcd":
        (away / "full" / name).mkdir(parents=True)
    before = sorted(away.rglob("*"))
    said = command("init", *words)
    assert (said.code, message in said.err) == (code, True), said.err
    assert "Traceback" not in said.err
    assert sorted(away.rglob("*")) == before


@pytest.mark.parametrize("error", [RunError("No space left on device"), Stopped(signal.SIGTERM)], ids=["full", "ended"])
@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_left_halfway(
    error: BaseException, there: bool, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, text: str) -> None:
        if path.name == "pyproject.toml":
            raise error
        files.write_text(path, text)

    if there:
        (away / "mine").mkdir()
    monkeypatch.setattr("runcard.starting.project.write_text", failing)
    with pytest.raises(type(error)):
        project.start("mine")
    assert [str(path.relative_to(away)) for path in away.rglob("*")] == ["mine"] * there


def test_an_empty_folder_is_filled(away: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "mine").mkdir(mode=0o750)
    monkeypatch.chdir("mine")
    said = command("init", ".")
    assert said.code == 0, said.err
    assert "cd" not in said.out
    assert command("check").code == 0
    assert stat.S_IMODE((away / "mine").stat().st_mode) == 0o750
    assert [path.name for path in away.iterdir()] == ["mine"]


def test_the_folder_can_be_read_as_any_other(away: Path) -> None:
    (away / "plain").mkdir()
    project.start("mine")
    assert (away / "mine").stat().st_mode == (away / "plain").stat().st_mode


def test_few_rows_ask_for_a_small_model(command: Command) -> None:
    sizes = {}
    for count in (100, 2000):
        customers(count).write_csv(f"{count}.csv")
        project.start(f"mine{count}", f"{count}.csv", "churned")
        conf = Path(f"mine{count}/conf")
        model, data = (yaml.safe_load((conf / f"{group}/mine{count}.yaml").read_text()) for group in ("model", "data"))
        sizes[count] = (model["hidden"], data["batch_size"])
    assert sizes == {100: ([64], 16), 2000: ([128, 128], 64)}


@pytest.mark.slow  # test_layers.py asks init, too
def test_init_waits_for_no_torch(table: Path) -> None:
    script = (
        "import sys\nfrom runcard.cli.main import run\n"
        f"run(['init', 'mine', '--data', {str(table)!r}, '--target', 'churned'])\n"
        "print(sorted({'torch', 'sklearn', 'pytorch_lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG_S)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_file_in_another_encoding_is_read_when_it_is_said(away: Path, command: Command) -> None:
    frame = customers(200).drop("customer").with_columns(city=pl.col("city").fill_null("Ulm"))
    (away / "latin.csv").write_bytes(frame.write_csv(separator=";").encode("cp1252"))
    words = ["init", "mine", "--data", "latin.csv", "--target", "churned"]
    refused = command(*words)
    assert refused.code == 4
    assert "'Köln' as cp1252" in refused.err
    (advice,) = re.findall(r"say which it is: (--encoding \S+)\.$", refused.err.strip())
    said = command(*words, *advice.split(), "--json")
    assert said.code == 0, said.err
    assert (said.json["data"]["encoding"], said.json["data"]["separator"]) == ("cp1252", ";")
    os.chdir("mine")
    fitted = command("fit", *TINY, "--json")
    assert fitted.code == 0, fitted.err
    cities = next(one for one in runcard.load_run(fitted.json["run"]).signature.features if one.name == "city")
    assert cities.categories == ("Bonn", "Köln", "Ulm")


def test_lines_that_lack_fields_are_filled_when_it_is_said(away: Path, command: Command) -> None:
    lines = [f"{number % 7}.5,{'yes' if number % 2 else 'no'},{number % 5}" for number in range(60)]
    lines[30] = "2.5,no"
    (away / "rows.csv").write_text("size,kept,note\n" + "\n".join(lines) + "\n")
    words = ["init", "mine", "--data", "rows.csv", "--target", "kept"]
    refused = command(*words)
    assert refused.code == 4
    assert "rows.csv, line 32: it has 2 fields, and the header has 3" in refused.err
    (advice,) = re.findall(r"Mend the line; (--ragged \S+) takes", refused.err)
    assert command(*words, *advice.split()).code == 0


@pytest.mark.parametrize("name", ["nope", "rot13"])
def test_an_encoding_that_is_none(name: str, away: Path, command: Command) -> None:
    customers(60).write_csv("rows.csv")
    said = command("init", "mine", "--data", "rows.csv", "--target", "churned", "--encoding", name)
    assert (said.code, "Python knows no" in said.err, Path("mine").exists()) == (2, True, False)
    words = ["data=table", "data.path=rows.csv", "problem.target=churned"]
    checked = command("check", *words, f"data.encoding={name}")
    assert (checked.code, "must be auto or an encoding that Python knows" in checked.err) == (2, True)
