"""The rooms' order: a file imports only what lies to its left, and only the libraries that its room may have."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1] / "src"
FILES = sorted((ROOT / "runcard").rglob("*.py"))
# Left to right. Files of the ground floor stand before all rooms, in this order.
ORDER = [
    "silence",
    "deferral",
    "errors",
    "owner",
    "regular",
    "interrupts",
    "garbage",
    "environment",
    "hiding",
    "visible",
    "advice",
    "yamltext",
    "files",
    "folders",
    "leaves",
    "brief",
    "runs",
    "studies",
    "card",
    "data",
    "models",
    "training",
]
ORDER += [
    "evaluation",
    "settling",
    "fitting",
    "further",
    "rowsathand",
    "verifying",
    "tuning",
    "packaging",
    "serving",
    "deploying",
    "starting",
    "removing",
    "api",
    "cli",
    "rank",
    "__main__",
]
# Library → the rooms that may import it; a library that is not named may be imported anywhere.
ONLY_IN = {
    "hydra": {"card", "tuning.launching"},
    "omegaconf": {"card", "tuning.launching"},
    "pydantic": {"card", "serving"},
    "pydantic_core": {"card", "serving"},
    "torch": {
        "data.loader",
        "models",
        "training",
        "evaluation.predictor",
        "packaging.export",
        "packaging.torch_graph",
        "settling",
        "fitting",
        "tuning.server",
        "tuning.samplers",  # the Gaussian process computes with it
        "cli.doctor",
    },
    "pytorch_lightning": {"data.loader", "training"},
    "torchmetrics": {"training.metrics"},
    "polars": {"data", "evaluation", "serving.batch"},
    "sklearn": {"data.builtin", "evaluation.baselines"},
    "matplotlib": {"evaluation.plots", "tuning.plots", "tuning.timeline"},
    "jinja2": {"evaluation.page", "packaging.modelcard", "serving.page"},
    "rich": {"training.progress", "tuning.live", "cli"},
    "optuna": {"tuning"},
    "sqlalchemy": {"tuning.storage", "tuning.leases"},
    "ray": {"tuning.rays"},
    "onnxruntime": {"packaging.onnx_graph"},
    "safetensors": {"packaging.export", "packaging.torch_graph"},
    "bentoml": {"packaging.bentos", "packaging.store", "serving.service", "serving.meter", "serving.supervisor"},
    "orjson": {"serving.http"},
    "uvicorn": {"serving.wire.protocol"},
    "flatbuffers": {"serving.arrow"},
    "python_multipart": {"serving.uploads"},
    "model_signing": {"packaging.signing"},
    "PIL": {"serving.images"},
    "transformers": {"models.hub"},
    "tokenizers": {"data.tokens"},
    "tensorboard": set(),  # torch and Lightning import it
    "mlflow": {"training.trackers.mlflow"},
    "wandb": {"training.trackers.wandb", "training.trackers.winners"},
}
HEAVY = {"tokenizers", "torch", "pytorch_lightning", "torchmetrics", "sklearn", "matplotlib", "transformers"}
# Shared by training and serving, so NumPy only.
NUMPY_ONLY = ["card.sections.formats", "data.withheld", "data.moments", "data.signature", "data.steps"]
NUMPY_ONLY += ["data.transforms", "data.fields"]
# What the service may load of other rooms; the Bento holds these files and no others.
SERVED = {
    "silence",
    "deferral",
    "errors",
    "owner",
    "regular",
    "environment",
    "interrupts",
    "visible",
    "yamltext",
    "advice",
}
SERVED |= {"card.metrics", "card.project", "card.pyproject", "card.spelling", "card.wording"}
SERVED |= {"card.sections.parts", "card.sections.serve"}
SERVED |= {
    "data.tokens",
    "data.reading.frames",
    "data.reading.jsonlines",
    "data.reading.layout",
    "data.reading.quick",
    "data.reading.careful",
    "data.reading.tables",
    "data.reading.parquet",
    "data.spelling",
    "data.values",
    "data.answers",
    "packaging.bundle",
    "packaging.manifest",
    "packaging.onnx_check",
    "packaging.onnx_graph",
    "packaging.store",
    "packaging.signing",
    "packaging.trial",
    *NUMPY_ONLY,
}

# For bundles that ONNX cannot express: imported within functions only, and not in the Bento.
WITH_TORCH = {"packaging.torch_graph", "card.naming.trust"}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "runcard").with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def imports(path: Path, *, top_level: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names} | {str(node.module)}
    return found


NAMES = {module(file) for file in FILES} - {""}


def own(path: Path) -> set[str]:
    return {name.removeprefix("runcard.") for name in imports(path) if name.removeprefix("runcard.") in NAMES}


def test_there_are_files() -> None:
    assert len(FILES) >= 40


def test_every_room_has_a_place() -> None:
    assert {module(file).partition(".")[0] for file in FILES} - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_imports_only_to_the_left(room: str) -> None:
    for path in FILES:
        if module(path).partition(".")[0] == room:
            right = [name for name in own(path) if ORDER.index(name.partition(".")[0]) > ORDER.index(room)]
            assert not right, f"{module(path)} imports {right}, which stands to its right"


def test_no_cycles() -> None:
    graph = {module(file): own(file) for file in FILES}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a cycle: {' → '.join((*above, name))}"
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*above, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    having = [module(path) for path in FILES if library in {name.partition(".")[0] for name in imports(path)}]
    allowed = ONLY_IN[library]
    assert not [here for here in having if not any(here == room or here.startswith(f"{room}.") for room in allowed)]


@pytest.mark.parametrize("name", NUMPY_ONLY)
def test_shared_with_serving_imports_numpy_only(name: str) -> None:
    path = ROOT / "runcard" / f"{name.replace('.', '/')}.py"
    libraries = {found.partition(".")[0] for found in imports(path)} - sys.stdlib_module_names
    assert libraries <= {"numpy", "runcard"}
    assert own(path) <= {*NUMPY_ONLY, "data.tokens"}


def test_the_one_more_package_of_texts_is_imported_where_there_are_texts() -> None:
    path = ROOT / "runcard" / "data" / "tokens.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert "tokenizers" in imports(path)
    assert "tokenizers" not in first
    assert own(path) <= {*NUMPY_ONLY, "advice", "errors"}


def test_the_service_reads_a_bundle_and_nothing_else() -> None:
    for path in (ROOT / "runcard" / "serving").glob("*.py"):
        outside = {name for name in own(path) if not name.startswith("serving")}
        assert outside - {"packaging", "card"} <= SERVED | WITH_TORCH, path
    for name in SERVED:
        assert own(ROOT / "runcard" / f"{name.replace('.', '/')}.py") <= SERVED | WITH_TORCH | {
            "card",
            "data",
            "packaging",
        }


def test_torch_is_imported_for_a_bundle_that_needs_it() -> None:
    for path in FILES:
        never = WITH_TORCH if module(path).startswith("serving.") else {"packaging.torch_graph"}
        assert not {name.removeprefix("runcard.") for name in imports(path, top_level=True)} & never, path


def test_the_bento_holds_what_the_service_reads() -> None:
    included = yaml.safe_load((ROOT.parent / "bentofile.yaml").read_text(encoding="utf-8"))["include"]
    files = {path for pattern in included for path in ROOT.parent.glob(pattern) if path.suffix == ".py"}
    held = {module(path) for path in files}
    packages = {name.rpartition(".")[0] for name in SERVED if "." in name}
    served = {module(path) for path in (ROOT / "runcard" / "serving").glob("*.py")}
    assert held == {"__init__"} | SERVED | packages | served


@pytest.mark.parametrize("path", [file for file in FILES if file.name == "__init__.py"], ids=module)
def test_init_files_hold_a_version_or_nothing(path: Path) -> None:
    if path.parent.name != "runcard":
        assert not path.read_text(encoding="utf-8").strip()
    else:
        assert {name for name in imports(path, top_level=True) if name.startswith("runcard")} == {
            "runcard.silence",
            "runcard.deferral",
        }


LIGHT = [
    ["--help"],
    ["check"],
    ["check", "experiment=digits_cnn"],
    ["ls", "--runs-dir", "."],
    ["rm", "."],
    ["init", "mine"],
]


def test_light_verbs_do_not_import_torch() -> None:
    """All of them in one process, which takes as long to start as a verb: what one imports is there after the last."""
    script = (
        "import sys\nfrom runcard.cli.main import run\n"
        f"for words in {LIGHT!r}:\n"
        "    try:\n        run(words)\n    except SystemExit:\n        pass\n"
        f"    print(words, sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("[")] == [f"{words} []" for words in LIGHT], done.stderr
