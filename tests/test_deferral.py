"""What Lightning would import for nothing is not imported, and is all there for whoever asks."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import HANG_S

PACKAGES = {
    "torchmetrics": """
        import scipy.signal
        if not hasattr(scipy.signal, "hamming"):
            scipy.signal.hamming = scipy.signal.windows.hamming
        from transformers import Model
    """,
    "scipy": """
        import importlib
        def __getattr__(name): return importlib.import_module(f"scipy.{name}")
    """,
    "scipy.signal": "print('signal is imported')\ndef find(): return 7",
    "transformers": """
        print('transformers is imported')
        class Model:
            least = 3
            def __init__(self, size): self.size = size
            @classmethod
            def made(cls): return cls(5)
    """,
}


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """Packages of these names that say when they are imported."""
    for name, content in PACKAGES.items():
        file = tmp_path / "libraries" / name.replace(".", "/") / "__init__.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = content.split("\n")
        file.write_text("\n".join(line.removeprefix("        ") for line in lines), encoding="utf-8")
    return tmp_path / "libraries"


def run(code: str, libraries: Path) -> str:
    path = os.pathsep.join([str(libraries), str(Path(__file__).parents[1] / "src")])
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_neither_is_imported_with_torchmetrics(libraries: Path) -> None:
    code = "import runcard, torchmetrics, sys; print('transformers' in sys.modules, 'scipy.signal' in sys.modules)"
    assert run(code, libraries) == "False False\n"


def test_both_are_there_for_who_asks(libraries: Path) -> None:
    code = "import runcard, torchmetrics, scipy.signal; print(scipy.signal.find()); from transformers import Model"
    code += "; print(Model(2).size)"
    assert run(code, libraries) == "signal is imported\n7\ntransformers is imported\n2\n"


@pytest.mark.parametrize(
    ("use", "answer"),
    [("Model.made().size", "5"), ("Model(4).size", "4"), ("Model.least", "3"), ("isinstance(Model(1), Model)", "True")],
)
def test_a_name_of_torchmetrics_leads_to_the_real_class(use: str, answer: str, libraries: Path) -> None:
    code = f"import runcard\nfrom torchmetrics import Model\nprint(isinstance(3, Model))\nprint({use})"
    assert run(code, libraries) == f"False\ntransformers is imported\n{answer}\n"


def test_what_was_imported_before_stays(libraries: Path) -> None:
    code = "import runcard, transformers, torchmetrics\nprint(torchmetrics.Model is transformers.Model)"
    assert run(code, libraries) == "transformers is imported\nTrue\n"


def test_the_installed_one_is_whole() -> None:
    import transformers
    from torchmetrics.functional.text import bert
    from torchmetrics.text import BERTScore

    assert callable(importlib.import_module("scipy.signal").find_peaks)
    assert vars(bert)["AutoModel"].from_pretrained == transformers.AutoModel.from_pretrained
    assert BERTScore.__name__ == "BERTScore"
