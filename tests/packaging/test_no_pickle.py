"""Nothing is unpickled from a finished run to its served answer: a pickle runs the code of whoever wrote it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runcard
from runcard.packaging.bundle import open_bundle
from runcard.serving.predictor import Predictor
from tests.conftest import HANG_S, Made
from tests.servers import BIN, ROOT, Service, bentoml_serve

# Whatever Python process unpickles writes down where, and fails. torch needs no exception: with ``weights_only``, as
# runs read their weights, it has an unpickler of its own that knows tensors and plain values and imports nothing.
WITNESS = """
import os, traceback
import _pickle, pickle
def refuse(*_, **__):
    with open(os.environ["PICKLES"], "a") as file:
        file.write("".join(traceback.format_stack()) + "\\n")
    raise RuntimeError("something is unpickled")
for module in (pickle, _pickle):
    module.load = module.loads = refuse
    # A class, for libraries derive from it.
    module.Unpickler = type("Unpickler", (module.Unpickler,), {"__init__": refuse, "load": refuse})
pickle._load = pickle._loads = pickle._Unpickler.__init__ = pickle._Unpickler.load = refuse
"""
WAYS = [
    "pickle.loads(data)",
    "pickle.load(io.BytesIO(data))",
    "pickle.Unpickler(io.BytesIO(data)).load()",
    "pickle._Unpickler(io.BytesIO(data)).load()",
    "_pickle.loads(data)",
    "cloudpickle.loads(data)",
    "joblib.load(path)",
    "numpy.load(array, allow_pickle=True)",
    "torch.load(weights, weights_only=False)",
]


@pytest.fixture
def witness(away: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What processes that are started now write down when they unpickle."""
    (away / "sitecustomize.py").write_text(WITNESS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(away), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep))
    monkeypatch.setenv("PICKLES", str(away / "pickles"))
    return away / "pickles"


def done(words: list[str], folder: Path = Path()) -> str:
    said = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=HANG_S)
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.fixture
def unpickled() -> Iterator[list[tuple[Any, ...]]]:
    """The classes and functions that are unpickled in this process; pickles of nothing but plain values do no harm."""
    seen: list[tuple[Any, ...]] = []
    listening = True

    def hear(event: str, words: tuple[Any, ...]) -> None:
        if listening and event == "pickle.find_class":
            seen.append(words)

    sys.addaudithook(hear)  # for good: there is no way to take one back
    yield seen
    listening = False


def test_nothing_is_unpickled_in_this_process(table_made: Made, unpickled: list[tuple[Any, ...]]) -> None:
    (row, *_), _ = runcard.tested_rows(table_made.run.path)
    packaged = runcard.package(table_made.run.path, http=False)
    predictor = Predictor(open_bundle(packaged.path), packaged.tag)
    answer = predictor.predict(json.dumps(row).encode())
    assert isinstance(answer, dict)
    assert answer["class"] in table_made.run.signature.target.classes
    assert not unpickled
    for load in (pickle.loads, pickle._loads):  # type: ignore[attr-defined]
        load(pickle.dumps(Path))
    assert unpickled == [("pathlib", "Path")] * 2


@pytest.mark.slow
def test_the_witness_would_see_it(witness: Path, away: Path) -> None:
    np.save("array.npy", np.array([{}], dtype=object))
    script = (
        "import _pickle, io, pickle\nimport cloudpickle, joblib, numpy, torch\n"
        "data, path, array, weights = pickle.dumps(1), 'joblib', 'array.npy', 'weights'\n"
        f"joblib.dump([1], path), torch.save([1], weights)\nfor way in {WAYS!r}:\n"
        "    try:\n        eval(way)\n    except Exception as error:\n        print('is unpickled' in str(error))"
    )
    assert done([sys.executable, "-c", script]).split() == ["True"] * len(WAYS)
    assert witness.read_text().count("eval(way)") + witness.read_text().count("<string>") >= len(WAYS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "digits", "text"])
def test_packaging_and_answering(kind: str, request: pytest.FixtureRequest, away: Path) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    witness: Path = request.getfixturevalue("witness")
    (row, *_), _ = runcard.tested_rows(made.run.path)
    (away / "row.json").write_text(json.dumps(row))
    script = (
        "import sys\nfrom pathlib import Path\nimport runcard\n"
        "packaged = runcard.package(sys.argv[1], http=False)\n"
        "from runcard.packaging.bundle import open_bundle\nfrom runcard.serving.predictor import Predictor\n"
        "predictor = Predictor(open_bundle(packaged.path), packaged.tag)\n"
        "print(predictor.predict(Path('row.json').read_bytes())['class'])"
    )
    assert done([sys.executable, "-c", script, str(made.run.path)]).strip() in made.run.signature.target.classes
    assert not witness.exists(), witness.read_text()


@pytest.mark.slow
def test_the_whole_line(table_made: Made, witness: Path, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(away / "home"))
    (row, *_), _ = runcard.tested_rows(table_made.run.path)
    packaged: dict[str, Any] = json.loads(done([str(BIN / "runcard"), "package", str(table_made.run.path), "--json"]))
    assert packaged["rows_over_http"] > 0
    done([str(BIN / "bentoml"), "build"], ROOT)

    def answers(service: Service) -> bool:
        status, answer = service.post(row)
        return status == 200 and bool(answer["model_version"] == packaged["bundle"])

    for folder, target in ((ROOT, "."), (away, "runcard-service:latest")):
        with bentoml_serve(folder, target=target, PYTHONPATH=os.environ["PYTHONPATH"]) as service:
            assert answers(service)
    assert not witness.exists(), witness.read_text()
