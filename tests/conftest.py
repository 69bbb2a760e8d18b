"""What all tests share: a folder of their own, no network, the command line, a table of rows."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

# BentoML reads them when it is imported; a store of their own keeps tests away from the user's.
os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="runcard-bentoml-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="runcard-prometheus-")
# The Hugging Face hub is neither asked, nor are the user's downloads read.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="runcard-hub-")
os.environ["HF_HUB_OFFLINE"] = "1"
# Two test processes share the cores: a thread that waits for one that has none sleeps, where it would else spin, for
# ten times what is computed. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

import runcard
from runcard import hiding
from runcard.cli import main as cli
from runcard.garbage import look_seldom

# How long an example takes says how busy the machine is, and nothing of the code. Where more of them find more, a slow
# test says how many.
settings.register_profile("runcard", deadline=None, max_examples=40)
settings.load_profile("runcard")

if TYPE_CHECKING:
    from runcard.evaluation.predictor import Run
    from runcard.packaging.package import Packaged

# One step through everything, no drawing; it is packaged however bad it is.
TINY = ["trainer.max_epochs=1", "trainer.limit_batches=1", "report=false", "problem.least_value=null"]
HANG_S = 120
SWEEPS = re.compile("sweep|stud|test_readme")
# Cases of one test, of which the default run takes them all.
MANY = 4
# A description of a transformer for images that takes no time.
TINY_VIT = {
    "model_type": "vit",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 8,
    "patch_size": 4,
    "num_channels": 3,
}

# Likewise for texts, by kind; each knows the words of ``reviews``.
TINY_BERT = {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
TINY_BERT |= {"intermediate_size": 64, "max_position_embeddings": 32, "vocab_size": 60}
TINY_TEXTS = {
    "bert": TINY_BERT,
    "roberta": {**TINY_BERT, "model_type": "roberta", "pad_token_id": 0, "max_position_embeddings": 33},
    "distilbert": {"model_type": "distilbert", "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
    | {"max_position_embeddings": 32, "vocab_size": 60},
}
GLAD, SAD = ("good", "great", "lovely", "fine"), ("bad", "awful", "dull", "poor")
PLAIN = ("the", "film", "was", "a", "story", "with", "actors", "and", "music", "in", "it", "for", "us", ",", ".", "!")


def pytest_configure(config: pytest.Config) -> None:
    look_seldom()  # else every tenth second of a test run goes into looking through what torch's import made
    if config.getoption("numprocesses", None) is None or hasattr(config, "workerinput"):
        from tests import once  # imports torch: who only hands out tests to others need not wait for it

        once.install()


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is marked as slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First those that take longest: at the end one process would have nothing left while the other is at them. All that
    # sweep stand together, so that one of the two processes of tests makes a server of trials, which imports torch.
    items.sort(key=lambda item: item.path.parent.name != "tuning" and not SWEEPS.search(item.nodeid))
    _leave_cases_to_the_slow_run(items)


def _leave_cases_to_the_slow_run(items: list[pytest.Item]) -> None:
    """Of a test with more than ``MANY`` cases each fifth is run by default, unless it says itself which are."""
    cases = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    for of_one in cases.values():
        said = any(each.get_closest_marker(name) for each in of_one for name in ("slow", "whole"))
        if len(of_one) > MANY and not said:
            for item in (item for place, item in enumerate(of_one) if place % 5):
                item.add_marker("slow")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    for variable in ("BENTOML_HOME", "PROMETHEUS_MULTIPROC_DIR", "HF_HOME"):
        shutil.rmtree(os.environ[variable], ignore_errors=True)


@dataclass
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must hold one JSON object."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test runs in a folder of its own, outside the checkout; what it imported from there is forgotten."""
    monkeypatch.chdir(tmp_path)
    before = len(sys.modules)
    yield tmp_path
    for name in [*sys.modules][before:]:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def nothing_hidden() -> None:
    """What another test read from the environment is no secret here."""
    hiding.forget()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere but this machine fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without pictures, each of which takes longer than a small fit."""
    from matplotlib.figure import Figure

    def savefig(self: Figure, file: IO[str], **_: Any) -> None:
        file.write("<svg></svg>")

    monkeypatch.setattr(Figure, "savefig", savefig)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line within this process: the real parser, verbs and error texts, without the imports' seconds."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = cli.run(words)
        except SystemExit as error:
            code = int(error.code or 0)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def installed() -> Command:
    """The installed command in a process of its own."""

    def call(*words: str, cwd: Path | None = None) -> Said:
        program = Path(sys.executable).with_name("runcard")
        done = subprocess.run([program, *words], capture_output=True, text=True, cwd=cwd, timeout=HANG_S)
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def wine_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with its report; tests read it and must not write to it."""
    folder = tmp_path_factory.mktemp("wine")
    return runcard.fit(runcard.load_card(["data=wine", "trainer.max_epochs=3", f"runs_dir={folder}"]))


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained network as the hub has them; tests must not write to it."""
    import torch

    from runcard.models import hub

    folder = tmp_path_factory.mktemp("hub") / "vit"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        hub.made(hub.restored(TINY_VIT, num_labels=7)).save_pretrained(folder)  # type: ignore[operator]
    return folder


@pytest.fixture(scope="session")
def tiny_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each of ``TINY_TEXTS``: weights and tokenizer; tests must not write to it."""
    import torch

    from runcard.models import hub

    folder = tmp_path_factory.mktemp("hub")
    with torch.random.fork_rng(devices=[]):
        for name, values in TINY_TEXTS.items():
            torch.manual_seed(0)
            network = hub.made(hub.restored(values, num_labels=7), hub.TEXTS)
            network.save_pretrained(folder / name)  # type: ignore[operator]
            (folder / name / "tokenizer.json").write_text(tokenizer_json())
    return folder


def tokenizer_json() -> str:
    """The words of ``reviews`` as tokens, each text framed as BERT frames it."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel

    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *GLAD, *SAD, *PLAIN)
    made = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return str(made.to_str())


def reviews(count: int = 300, seed: int = 0) -> pl.DataFrame:
    """Sentences with one word that says how it was; ``label`` follows from it, and ``stars`` do so too."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        glad = bool(random.integers(2))
        words = random.choice(PLAIN, random.integers(3, 12)).tolist()
        words.insert(int(random.integers(len(words) + 1)), str(random.choice(GLAD if glad else SAD)))
        stars = 4.0 * glad + float(random.random())
        text = None if number % 50 == 49 else " ".join(words)
        rows.append({"number": number, "review": text, "label": "liked" if glad else "loathed", "stars": stars})
    return pl.DataFrame(rows)


@dataclass(frozen=True)
class Made:
    """A run and the bundle that it became."""

    run: Run
    bundle: Packaged


@pytest.fixture(scope="session")
def table_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle for rows with numbers, a category, booleans and gaps; tests must not write to it."""
    folder = tmp_path_factory.mktemp("table")
    customers(600).write_csv(folder / "customers.csv")
    words = ["data=table", f"data.path={folder}/customers.csv", "problem.target=churned", f"runs_dir={folder}"]
    return _made([*words, "data.kinds={customer: ignore}", "trainer.max_epochs=5"])


@pytest.fixture(scope="session")
def text_made(tmp_path_factory: pytest.TempPathFactory, tiny_texts: Path) -> Made:
    """A bundle for texts; tests must not write to it."""
    folder = tmp_path_factory.mktemp("text")
    reviews().write_csv(folder / "reviews.csv")
    return _made([*of_reviews(folder / "reviews.csv", tiny_texts / "bert"), f"runs_dir={folder}"])


def of_reviews(path: Path, network: Path, **kinds: str) -> list[str]:
    """What a card for ``reviews`` says, with a rate that random weights learn at."""
    said = {"review": "text", "number": "ignore", "stars": "ignore", **kinds}
    listed = ", ".join(f"{name}: {kind}" for name, kind in said.items())
    words = [
        "data=table",
        f"data.path={path}",
        "problem.target=label",
        f"data.kinds={{{listed}}}",
        "data.batch_size=16",
    ]
    return [*words, "model=pretrained", f"model.name={network}", "optimizer.lr=2e-3", "trainer.max_epochs=6"]


@pytest.fixture(scope="session")
def digits_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle for images; tests must not write to it."""
    folder = tmp_path_factory.mktemp("digits")
    # Two threads wait for each other, ten times as long as they work where another process has one of two cores.
    return _made(["experiment=digits_cnn", "trainer.max_epochs=3", "trainer.threads=1", f"runs_dir={folder}"])


def made_of_arrays(folder: Path, *shape: int, model: str) -> Made:
    """A bundle for rows of a shape, some of their numbers missing."""
    write_arrays(folder, *shape, gaps=0.02)
    files = [f"data.inputs={folder}/inputs.npy", f"data.targets={folder}/targets.npy"]
    return _made(["data=arrays", *files, f"model={model}", "trainer.max_epochs=5", f"runs_dir={folder}"])


@pytest.fixture(scope="session")
def vector_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle for rows of 12 numbers on disk; tests must not write to it."""
    return made_of_arrays(tmp_path_factory.mktemp("vector"), 12, model="mlp")


@pytest.fixture(scope="session")
def sequence_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle for sequences on disk of 6 steps and 2 channels; tests must not write to it."""
    return made_of_arrays(tmp_path_factory.mktemp("sequence"), 6, 2, model="linear")


def _made(words: list[str]) -> Made:
    run = runcard.fit(runcard.load_card([*words, "report=false"]))
    return Made(run, runcard.package(run.path, http=False, accept=True))


def customers(count: int = 300, seed: int = 0) -> pl.DataFrame:
    """Rows with numbers, a category, booleans and gaps; ``churned`` follows from them, with noise."""
    random = np.random.default_rng(seed)
    age = random.normal(45, 12, count).round(1)
    city = random.choice(["Bonn", "Köln", "Ulm"], count)
    member = random.random(count) < 0.4
    spent = random.exponential(100, count).round(2)
    leaning = (age - 45) / 12 + 1.5 * (city == "Ulm") - 2.0 * member + random.normal(0, 0.5, count)
    churned = np.where(leaning > 0, "yes", "no")
    gaps = random.random((3, count)) < 0.1
    return pl.DataFrame(
        {
            "customer": [f"C{row:05d}" for row in range(count)],
            "age": [None if gap else value for value, gap in zip(age.tolist(), gaps[0], strict=True)],
            "city": [None if gap else value for value, gap in zip(city.tolist(), gaps[1], strict=True)],
            "member": [None if gap else bool(value) for value, gap in zip(member.tolist(), gaps[2], strict=True)],
            "spent": spent,
            "churned": churned.tolist(),
        }
    )


def write_arrays(folder: Path, *shape: int, count: int = 200, seed: int = 0, gaps: float = 0.0) -> None:
    """``inputs.npy``, rows of ``shape`` (without one, 12 numbers), and ``targets.npy``, three classes in them.

    Args:
        folder: Where to write.
        shape: Of one row.
        count: Rows.
        seed: Which rows.
        gaps: Share of the numbers that are missing.
    """
    random = np.random.default_rng(seed)
    classes = random.integers(3, size=count)
    inputs = random.normal(size=(count, *(shape or (12,)))).astype(np.float32)
    inputs += 0.5 * classes.reshape(-1, *[1] * (inputs.ndim - 1))
    inputs[random.random(inputs.shape) < gaps] = np.nan
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "targets.npy", np.array(["ant", "bee", "cat"])[classes])


@pytest.fixture
def table(away: Path) -> Path:
    """``customers`` as a CSV file."""
    path = away / "customers.csv"
    customers().write_csv(path)
    return path
