"""All advice of the source goes through one function, and each call of it is tried by a case, or is excepted."""

from __future__ import annotations

import itertools
import re
import tomllib

import pytest

from tests.advice import source, test_card, test_rows, test_runs, test_sweeps

CASES = [*test_card.CASES, *test_rows.CASES, *test_sweeps.CASES, *test_runs.CASES, *test_runs.SLOW]
CASES += [*test_runs.OF_RUN, *test_runs.SLOW_OF_RUN]
# Texts that look typed and are none that a message tells to type: module → how such a text begins → why. The module's
# own name ends with a dot where all of a folder is meant; an empty beginning is all that is in it.
NO_ADVICE = {
    "cli.verbs": {"": "help of the command line"},
    "cli.parsing": {"": "help of the command line"},
    "cli.shells": {"": "code that a shell runs"},
    "cli.removing": {"remove them without asking": "help of the command line"},
    "cli.deploying": {"REGISTRY/NAME:TAG; default": "help of the command line"},
    "starting.cards": {"": "comments of a card that is written"},
    "deploying.deploy": {"# bundle and code": "a line of the README that is written"},
    "card.help.editor": {"Written by": "the comment of a schema"},
    "environment": {"core.fsmonitor=false": "a word for git"},
    "evaluation.plots": {"<svg": "markup"},
    "tuning.clusters": {"--": "words for Slurm"},
    "tuning.forkserver": {"glibc.malloc": "a variable of the C library"},
    "tuning.storage": {"-c tcp": "words for PostgreSQL", "PRAGMA": "SQL"},
    "card.compose": {
        "hydra.searchpath": "a word for Hydra",
        "--config-dir {}": "where a mistake is",
    },
    "card.project": {"": "a word that is composed, and where a mistake is"},
    "cli.offers": {"experiment={}": "a word that is composed"},
    "rowsathand": {"data": "words that are composed"},
    "starting.project": {"experiment={}": "a word that is composed"},
    "card.sweep": {"sweep=": "a word that is looked for or composed"},
    "card.values": {"{}data={}": "where a value is from"},
    "card.unfit": {
        "must be": "what was typed",
        "is ": "what was typed",
        "'wilcoxon'": "numbers",
        "sweep.": "given to advise",
    },
    "cli.debugging": {"  learning rate": "what the card holds"},
    "cli.sweeping": {" ± {}": "a number of trials"},
    "training.trackers.variables": {"logger.{}={}": "what the card holds now"},
    "settling": {
        "data.batch_size=auto:": "what was found",
        "optimizer.lr=auto:": "what was found",
        "trainer.monitor={}:": "what is set",
    },
    "training.finders": {"optimizer.lr=auto:": "the value that the message is about"},
    "tuning.budget": {"": "the limit that was met"},
    "tuning.rays": {"hydra.launcher.address={}": "the value that the message is about"},
    "tuning.sweep": {"sweep.workers=%d": "the value that the message is about"},
    "serving.settings": {"serve.{}={}": "given to advise", "{}: a change": "the form, before an example of it"},
    "card.check": {"these groups": "for Python, where nothing is typed"},
    "card.conditions": {"Write if KEY": "a part of a word, after it"},
    "card.overrides": {"KEY=": "given to advise", "An override": "the forms of a word"},
    "card.lightning": {"": "given to advise"},
    "card.moved": {"{}=FILE": "given to advise"},
    "card.naming.targets": {"trainer.average": "given to advise"},
    "data.looking.written": {"data.missing_target": "given to advise"},
    "data.reading.careful": {"data.": "given to advise"},
    "data.survey": {"data.{}={}": "given to advise"},
    "models.trial": {"model: {} answers": "an argument in Python"},
    "packaging.bundle": {"it is served with torch": "the words are no command"},
}
PACKAGES = "asks a package index; see test_extras_that_are_advised_exist"
BENTOML = "a command of BentoML, which packs for minutes or serves for ever"
# Advice that is not typed here, and why.
UNTRIED = {
    "card.launchers: pip install f'runcard[{PLUGINS[name][2]}]'": PACKAGES,
    "card.unfit: pip install runcard[cmaes]": PACKAGES,
    "card.unfit: pip install runcard[postgresql]": PACKAGES,
    "cli.doctor: pip install f'runcard[{extra}]' if extra else 'runcard'": PACKAGES,
    "cli.doctor: pip install f'{requirement.name}{requirement.specifier}'": PACKAGES,
    "data.tokens: pip install runcard[transformers]": PACKAGES,
    "data.tokens: pip install tokenizers": PACKAGES,
    "models.hub: pip install runcard[transformers]": PACKAGES,
    "packaging.signing: pip install runcard[signing]": PACKAGES,
    "training.loggers: pip install f'runcard[{tracker.kind}]'": PACKAGES,
    "cli.deploying: kubectl apply -k f'{folder}/overlays/production'": "needs a cluster",
    "cli.deploying: docker compose -f f'{folder}/compose.yaml' up -d --wait": "needs Docker",
    "cli.text: bentoml serve SERVICE": BENTOML,
    "deploying.bento: bentoml build folder": BENTOML,
    "packaging.store: bentoml models list": BENTOML,
    "removing.judge: bentoml models list": BENTOML,
    "removing.uses: bentoml delete bento": "a command of BentoML, which asks before it removes",
    "card.moved: runcard fit str(run / 'card.yaml')": "of a run whose rows were moved: tests/cli/test_moved.py",
    "card.moved: *(f'{key}=FILE' for key in gone)": "of a run whose rows were moved: tests/cli/test_moved.py",
    "further: runcard fit str(parent.card)": "of a finished run that is gone on from: tests/training/test_further.py",
    "cli.predicting: --raw": "of labels like formulas: tests/cli/test_formulas.py",
    "tuning.doubts: sweep.seeds=3": "stands in the page of a study, which no command prints",
    "tuning.opening: sweep.storage=postgresql://USER@HOST/DATABASE": "needs a PostgreSQL server",
    "models.hub: model.freeze=false": "no network of the hub is without layers that answer; for one of another kind",
    "runs: sweep.name=NAME": "two sweeps of one name begin in the same moment",
}


def test_what_looks_typed_is_advice() -> None:
    found = source.loose()
    excepted = {(module, text) for module, texts in found.items() for text in texts if _is_excepted(module, text)}
    wrong = [(module, text) for module, texts in found.items() for text in texts if (module, text) not in excepted]
    assert not wrong, "give them to runcard.advice.advise, or add them to NO_ADVICE with the reason"
    idle = [
        (module, start)
        for module, starts in NO_ADVICE.items()
        for start in starts
        if not any(text.startswith(start) for text in found.get(module, []))
    ]
    assert not idle, "nothing of the kind is there any more"


def _is_excepted(module: str, text: str) -> bool:
    return any(text.startswith(start) for start in NO_ADVICE.get(module, {}))


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Choose trainer=cpu.", True),
        ("say data.ragged=fill, which", True),
        ("`runcard ls` lists them", True),
        ("say it with --encoding cp1252", True),
        ("Add {}=NAME", True),
        ("--port {}: a port is a number", False),
        ("optimizer.lr: must be above 0", False),
        ("a == b", False),
    ],
)
def test_what_looks_typed(text: str, typed: bool) -> None:
    assert source.looks_typed(text) is typed


def test_each_call_can_be_named() -> None:
    assert not source.given_without_call()
    assert not source.given_on_import()
    assert len(source.sites()) >= 150


def test_each_advice_is_tried() -> None:
    sites = {*source.sites().values()}
    tried = {test_runs.OF_TEXT, *itertools.chain.from_iterable(case.sites for case in CASES)}
    assert not tried - sites, "cases for advice that nobody gives"
    assert not {*UNTRIED} - sites, "exceptions for advice that nobody gives"
    assert not tried & {*UNTRIED}
    assert not sites - tried - {*UNTRIED}, "advice that no case types"


def test_extras_that_are_advised_exist() -> None:
    offered = tomllib.loads((source.ROOT.parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    advised = {found for name in source.sites().values() for found in re.findall(r"runcard\[(\w+)\]", name)}
    assert advised
    assert advised <= {*offered}
