"""Completion in the shell: what is offered, how each shell is told, and a real bash that is typed into."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import runcard
from runcard.card.groups import choices_in, shipped_conf
from runcard.card.help.keys import chosen, keys_of
from runcard.cli.shells import SCRIPTS, UNDONE, Line, read_line, reply
from runcard.cli.verbs import VERBS
from runcard.leaves import flatten
from tests.conftest import HANG_S, Command

# Neither may be waited for at a TAB.
SLOW = ("hydra", "omegaconf", "pydantic", "torch", "yaml", "numpy", "bentoml")
CONF = [shipped_conf()]

Query = Callable[..., list[str]]


@pytest.fixture
def query(command: Command, monkeypatch: pytest.MonkeyPatch, away: Path) -> Query:
    monkeypatch.setenv("BENTOML_HOME", str(away / "bentoml"))

    def ask(line: str, shell: str = "zsh", point: int | None = None) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", "" if point is None else str(point))
        said = command("--shell-completion", f"query={shell}")
        assert (said.code, said.err) == (0, "")
        return said.out.splitlines()

    return ask


def test_verbs(query: Query) -> None:
    assert query("runcard ") == [verb.name for verb in VERBS]
    assert query("runcard ver") == ["verify"]
    assert query("runcard fit", point=9) == ["fit"]
    assert query("runcard --v") == ["--version"]
    assert query("runcard nonsense ") == []


def test_flags_and_what_they_take(query: Query) -> None:
    Path("mine").mkdir()
    Path("rows.csv").touch()
    assert "--schema" in query("runcard check --")
    assert query("runcard fit data=wine --mu") == ["--multirun"]
    assert query("runcard ls --sort ") == ["newest", "best"]
    assert query("runcard ls --sort=b") == ["--sort=best"]
    assert query("runcard fit --config-dir ") == ["mine/"]
    assert query("runcard predict runs/x rows.csv -o r") == ["rows.csv"]
    assert query("runcard predict runs/x rows.csv more") == []
    assert query("runcard doctor ") == []
    assert query("runcard -sc in") == ["install=bash", "install=zsh", "install=fish"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mo", ["model=", "model."]),
        ("see", ["seed="]),
        ("check", ["checkpoint."]),
        ("checkpoint.", ["checkpoint.every_s="]),
        ("model=m", ["model=mlp", "model=mobilenet"]),
        ("trainer.max", ["trainer.max_epochs="]),
        ("trainer.early_stopping.", ["trainer.early_stopping.patience=", "trainer.early_stopping.min_delta="]),
        ("trainer.accelerator=", ["trainer.accelerator=cpu", "trainer.accelerator=gpu", "trainer.accelerator=auto"]),
        ("report=", ["report=true", "report=false"]),
        ("trainer.channels_last=", [f"trainer.channels_last={value}" for value in ("true", "false", "auto")]),
        ("optimizer.lr=", ["optimizer.lr=auto", "optimizer.lr=3.0e-3"]),
        ("trainer.limit_batches=", []),
        ("trainer.limit_batches=n", ["trainer.limit_batches=null"]),
        ("trainer.max_epochs=", []),
        ("problem.metric=acc", ["problem.metric=accuracy"]),
        ("model.hid", ["model.hidden="]),
        ("model=cnn model.ch", ["model.channels="]),
        ("model.ch", []),
        ("model=linear model.", []),
        ("experiment=digits_cnn model.ch", ["model.channels="]),
        ("experiment=digits_cnn model=mlp model.inp", ["model.input_dropout="]),
        ("debug=overfit scheduler.", ["scheduler.warmup_fraction="]),
        ("logger=wandb logger.", [f"logger.{key}=" for key in ("project", "offline", "entity", "name", "artifacts")]),
        ("-m model=mlp,c", ["model=mlp,cnn"]),
        ("-m model=cnn,mlp model.ch", ["model.channels="]),
        ("-m optimizer.fused=true,", ["optimizer.fused=true,false"]),
        ("-m 'optimizer.lr=tag(log,", []),
        ("-m sweep.sam", ["sweep.sampler="]),
        ("sweep=grid sweep.sampler=g", ["sweep.sampler=gp", "sweep.sampler=grid"]),
        ("sweep.sam", []),
        ("'model.hid", ["model.hidden="]),
        ('model.hidden="[1,2]" tr', ["trainer=", "trainer."]),
    ],
)
def test_what_a_card_takes(typed: str, offered: list[str], query: Query) -> None:
    assert query(f"runcard fit {typed}") == offered
    assert query(f"runcard check {typed}") == offered


@pytest.mark.parametrize("group", ["data", "model", "augment", "optimizer", "scheduler", "trainer", "logger"])
def test_the_keys_are_those_of_the_card(group: str) -> None:
    needed = {
        "table": ["data.path=x.csv", "problem.target=y"],
        "arrays": ["data.inputs=x.npy", "data.targets=y.npy"],
        "pretrained": ["model.name=vit"],
    }
    for choice in choices_in(CONF)[group]:
        words = [f"{group}={choice}", *needed.get(choice, []), *(["data=digits"] if group == "model" else [])]
        card = runcard.load_card(words)
        keys = {key for key in flatten(card.to_dict()) if not key.endswith("_target_")}
        found = keys_of(chosen(words, CONF), CONF)
        # A mapping of the user's own, such as data.kinds, is one key.
        assert {key for key in keys if not key.startswith(("data.kinds.", "trainer.lightning."))} == set(found)


def test_choices_behind_the_cursor_count(query: Query) -> None:
    line = "runcard fit model.ch model=cnn -m"
    assert query(line, point=20) == query("runcard fit model.channels model=cnn", point=20) == ["model.channels="]
    assert query("runcard fit sweep.sam -m", point=21) == ["sweep.sampler="]


def test_groups_and_classes_of_ones_own(query: Query, away: Path) -> None:
    for name, text in {
        "model/wide": "defaults: [mlp]\nhidden: [512]\n",
        "model/own": "_target_: mine.Net\nwidth: 3\n",
        "experiment/churn": "# @package _global_\ndefaults: [{override /model: own}]\n",
    }.items():
        (away / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (away / "mine" / f"{name}.yaml").write_text(text)
    assert query("runcard fit model=w") == []
    for flag in ("--config-dir mine", "--config-dir=mine", f"--config-dir {away}/mine"):
        assert query(f"runcard fit {flag} model=w") == ["model=wide"]
    assert query("runcard fit --config-dir mine model=own model.") == ["model.width="]
    assert "model.input_dropout=" in query("runcard fit --config-dir mine model=wide model.")
    (away / "pyproject.toml").write_text('[tool.runcard]\nconfig_dir = "mine"\nexperiment = "churn"\n')
    assert query("runcard fit model.") == ["model.width="]
    (away / "pyproject.toml").write_text("[tool.runcard\n")
    assert query("runcard fit model=ml") == ["model=mlp"]


def test_a_saved_card(query: Query) -> None:
    Path("card.yaml").write_text(yaml.safe_dump(runcard.load_card(["model=cnn"]).to_dict(), sort_keys=False))
    Path("folder").mkdir()
    assert query("runcard fit ca") == ["card.yaml"]
    assert query("runcard fit fo") == ["folder/"]
    assert query("runcard fit card.yaml model") == ["model."]
    assert query("runcard fit card.yaml model.ch") == ["model.channels="]
    assert query("runcard fit card.yaml trainer.accelerator=c") == ["trainer.accelerator=cpu"]
    assert query("runcard fit nowhere.yaml see") == ["seed="]


def test_files(query: Query) -> None:
    Path("my rows").mkdir()
    Path("my rows/b.csv").touch()
    Path(".hidden").touch()
    assert query("runcard predict runs/x ") == ["my rows/"]
    assert query("runcard predict runs/x my\\ rows/") == ["my rows/b.csv"]
    assert query("runcard predict runs/x .h") == [".hidden"]
    assert query("runcard fit data=table 'data.path=my rows/") == ["data.path=my rows/b.csv"]


def test_runs_newest_first_and_studies(query: Query) -> None:
    runs = [f"runs/{name}" for name in ("a/20260102-000000-aa", "b/20260101-000000-bb", "a/20250101-000000-cc")]
    for run in runs:
        Path(run).mkdir(parents=True)
        Path(run, "card.yaml").touch()
    Path("studies/s").mkdir(parents=True)
    Path("studies/s/study.json").touch()
    for verb in ("verify", "evaluate", "predict"):
        assert query(f"runcard {verb} ") == runs
    for verb in ("resume", "package"):
        assert query(f"runcard {verb} ") == [*runs, "studies/s"]
    assert query("runcard evaluate runs/a") == [runs[0], runs[2]]
    assert query("runcard resume --json stu") == ["studies/s"]
    assert query("runcard compare --cards ") == query(f"runcard compare --cards {runs[0]} ") == runs
    assert query("runcard compare --cards runs --js") == ["--json"]


def test_bundles_newest_first(query: Query) -> None:
    for day, name in enumerate(("wine/one", "digits/two", "wine/three")):
        folder = Path("bentoml/models", name)
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
        os.utime(folder, (day, day))
    Path("bentoml/models/bert/of-another-maker").mkdir(parents=True)
    Path("runs/a/20260102-000000-aa").mkdir(parents=True)
    Path("runs/a/20260102-000000-aa/card.yaml").touch()
    run, tags = "runs/a/20260102-000000-aa", ["wine:three", "digits:two", "wine:one"]
    assert query("runcard serve ") == query("runcard deploy --target kubernetes ") == tags
    assert query("runcard predict ") == query("runcard rm --yes ") == [run, *tags]
    assert query("runcard serve wine:t") == ["wine:three"]
    assert query("runcard rm wine:one wine:") == ["wine:three"]
    assert query(f"runcard rm {run} ru") == ["runs/"]
    assert query("runcard serve wine:one ") == query("runcard evaluate wi") == []


def test_fish_gets_what_there_is_to_say(query: Query) -> None:
    assert "fit\tTrain a card's model" in "\n".join(query("runcard ", "fish"))
    assert query("runcard fit trainer.accum", "fish") == [
        "trainer.accumulate=\tMinibatches a step, 1 or more; as a batch so many times larger, without its memory."
    ]
    (line,) = query("runcard fit model=ml", "fish")
    assert line.startswith("model=mlp\tMultilayer perceptron")


def test_bash_gets_what_it_puts_in_place_of_a_part(monkeypatch: pytest.MonkeyPatch, query: Query) -> None:
    monkeypatch.setenv("COMP_TEXT", "ml")
    assert query("runcard fit model=ml", "bash") == ["mlp"]
    monkeypatch.setenv("COMP_TEXT", "model.hid")
    assert query("runcard fit 'model.hid", "bash") == ["model.hidden=", "model.hidden=..."]


@pytest.mark.parametrize(
    ("quote", "told"), [("", r"a\ b\'\$\".csv"), ("'", "a b'\\''$\".csv"), ('"', "a b'\\$\\\".csv")]
)
def test_bash_reads_a_file_name_as_it_is(quote: str, told: str) -> None:
    name = "a b'$\".csv"
    assert reply("bash", Line(["runcard"], "a", quote), {name: ""}, "a") == told
    read = subprocess.run(["bash", "-c", f"printf %s {quote}{told}{quote}"], capture_output=True, text=True, check=True)
    assert read.stdout == name


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), max_size=4))
def test_a_line_is_divided_as_a_shell_divides_it(words: list[str]) -> None:
    assert read_line(shlex.join(["runcard", *words]) + " ") == Line(["runcard", *words], "", "")
    whole = shlex.join(["runcard", *words, "a b"])
    assert read_line(whole[:-1]) == Line(["runcard", *words], "a b", "'")
    assert read_line(f"runcard fi {whole}", 10) == Line(["runcard"], "fi", "", ("runcard", *words, "a b"))


def test_a_line_that_sets_a_variable_first() -> None:
    assert read_line("A=1 B='x y' runcard fi").words == ["runcard"]


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_scripts(shell: str, command: Command) -> None:
    script = command("--shell-completion", f"install={shell}").out
    assert command("-sc", f"install={shell}").out == script
    assert f"query={shell}" in script
    undo = command("-sc", f"uninstall={shell}").out
    assert undo == f"{UNDONE[shell]}\n"
    named = {"bash": "_runcard", "zsh": "_runcard", "fish": "__runcard_complete"}[shell]
    assert named in undo
    assert re.search(rf"{named}\b", script)
    # Where the shell is not installed, its script is still held to be balanced.
    for opening, closing in ("()", "{}", "[]"):
        assert script.count(opening) == script.count(closing)
    if shutil.which(shell):
        for text in (script, undo):
            subprocess.run([shell, "-n"], input=text, text=True, check=True, timeout=HANG_S)


def test_help_shows_the_line_for_each_shell(command: Command) -> None:
    said = command("--help").out
    assert all(f"--shell-completion install={shell}" in said for shell in SCRIPTS)


@pytest.mark.parametrize("words", [["-sc"], ["-sc", "install=tcsh"], ["--shell-completion", "install"]])
def test_what_cannot_be_answered(words: list[str], command: Command) -> None:
    said = command(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("runcard: ")


@pytest.mark.parametrize(
    "line", ["runcard ", "runcard fit ", "runcard fit experiment=wine trainer.", "runcard check --", "runcard rm "]
)
def test_a_tab_waits_for_nothing_slow(line: str) -> None:
    Path("bentoml/models/wine/one").mkdir(parents=True)
    Path("bentoml/models/wine/one/manifest.json").touch()
    script = (
        "import sys\nfrom runcard.cli.main import run\nrun(['--shell-completion', 'query=bash'])\n"
        f"print(sorted({set(SLOW)} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env=os.environ | {"COMP_LINE": line, "BENTOML_HOME": "bentoml"},
    )
    *offered, slow = done.stdout.splitlines()
    assert (slow, done.stderr) == ("[]", "")
    assert offered


class Bash:
    """An interactive bash, typed into."""

    def __init__(self) -> None:
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            os.environ["TERM"] = "dumb"
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

    def write(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def read_until(self, end: str) -> str:
        seen, until = "", time.monotonic() + HANG_S
        while end not in seen:
            assert time.monotonic() < until, seen
            if select.select([self.terminal], [], [], 1)[0]:
                seen += os.read(self.terminal, 65536).decode(errors="replace")
        return seen

    def run(self, line: str) -> None:
        self.write(f"{line}; echo do''ne\n")
        self.read_until("done\r\n")

    def completed(self, typed: str) -> str:
        """The line after one TAB. Ctrl-U empties the one before, and what Ctrl-O is bound to shows this one."""
        self.write(f"\x15{typed}\t\x0f")
        return str(re.findall(r"<<(.*)>>", self.read_until(">>\r\n"))[-1])

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def bash(away: Path) -> Iterator[Bash]:
    (away / "my rows.csv").touch()
    shell = Bash()
    shell.run("bind 'set enable-bracketed-paste off'; bind 'set bell-style none'")
    shell.run("""bind -x '"\\C-o": printf "\\n<<%s>>\\n" "$READLINE_LINE"'""")
    shell.run('eval "$(runcard --shell-completion install=bash)"')
    try:
        yield shell
    finally:
        shell.close()


@pytest.mark.slow  # by default the function that bash calls, in a bash of its own
def test_a_real_bash(bash: Bash) -> None:
    for typed, becomes in {
        "runcard fi": "runcard fit ",
        "runcard fit mo": "runcard fit model",
        "runcard fit model=ml": "runcard fit model=mlp ",
        "runcard fit model=cnn trainer.max_e": "runcard fit model=cnn trainer.max_epochs=",
        "runcard fit trainer.early_stopping.p": "runcard fit trainer.early_stopping.patience=",
        "runcard fit -m model=mlp,cn": "runcard fit -m model=mlp,cnn ",
        "runcard fit 'optimizer.lr=tag(log,": "runcard fit 'optimizer.lr=tag(log,",
        "runcard fit -m 'optimizer.lr=tag(log,interval(1e-4,1e-1))' see": "runcard fit -m "
        "'optimizer.lr=tag(log,interval(1e-4,1e-1))' seed=",
        "runcard fit 'model.hid": "runcard fit 'model.hidden=",
        'runcard fit "trainer.accelerator=g': 'runcard fit "trainer.accelerator=gpu" ',
        "runcard fit data.path=my": r"runcard fit data.path=my\ rows.csv ",
        "runcard fit 'data.path=my": "runcard fit 'data.path=my rows.csv' ",
        "runcard fit 'data.kinds={a: b, c:d}' see": "runcard fit 'data.kinds={a: b, c:d}' seed=",
        "A=1 runcard fit see": "A=1 runcard fit seed=",
        "true; runcard fit see": "true; runcard fit seed=",
        "runcard ls --sort=b": "runcard ls --sort=best ",
        f"{Path(sys.executable).parent}/runcard ver": f"{Path(sys.executable).parent}/runcard verify ",
        "runcard fit data.path=$PWD/my": r"runcard fit data.path=$PWD/my\ rows.csv ",
    }.items():
        assert bash.completed(typed) == becomes


def test_a_real_bash_in_which_words_do_not_end_at_an_equals_sign(bash: Bash) -> None:
    bash.run("COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]}")
    assert bash.completed("runcard fit model=ml") == "runcard fit model=mlp "
    assert bash.completed("runcard fit data.path=my") == r"runcard fit data.path=my\ rows.csv "


def test_a_real_bash_without_it_again(bash: Bash) -> None:
    bash.write("\x15")
    bash.run('eval "$(runcard --shell-completion uninstall=bash)"; complete -p runcard; declare -F _runcard; true')
    assert bash.completed("runcard fi") == "runcard fi"


def test_the_function_of_bash_by_itself() -> None:
    asked = [("model=ml", "ml"), ("optimizer.lr=a", "a"), ("trainer.", "trainer.")]

    def call(typed: str, text: str) -> list[str]:
        line = f"runcard fit {typed}"
        script = f"""eval "$(runcard --shell-completion install=bash)"
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_WORDS=(runcard fit x) COMP_CWORD=2
            complete -p runcard >&2
            _runcard runcard {shlex.quote(text)} fit 2>/dev/null
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=HANG_S, env=os.environ | {"PATH": path}
        )
        assert "-F _runcard runcard" in done.stderr
        return done.stdout.splitlines()

    first, second, third = [call(*pair) for pair in asked]
    assert (first, second) == (["mlp"], ["auto"])
    assert "trainer.max_epochs=" in third
