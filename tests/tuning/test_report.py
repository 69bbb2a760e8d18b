"""The page about a study: whatever came of it, it says so, needs nothing else and does nothing."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from optuna.study import StudyDirection
from optuna.trial import TrialState

import runcard
from runcard.studies import StudyFolder
from runcard.tuning import report
from runcard.tuning.points import distributions
from runcard.tuning.report import epochs_saved, render
from runcard.tuning.summary import Summary, importances
from tests.tuning.pages import parsed
from tests.tuning.test_scales import VALUES

SECTIONS = ["The winner", "The trials", "What was tried", "History", "Importance", "Each key", "All keys at once"]
SECTIONS += ["On the way", "Who ran what when", "All trials"]
WORDS = ["data=wine", "model=mlp,linear", "optimizer.lr=interval(0.001,0.1)"]
# How a trial ends: its values, or a state.
End = Sequence[float] | TrialState


def summary_of(
    ends: Sequence[End], words: Sequence[str] = WORDS, metrics: Sequence[str] = ("val/accuracy",), **attributes: Any
) -> dict[str, Any]:
    """What ``study.json`` would hold of trials that ended so."""
    plan = runcard.load_sweep(list(words))
    made = Summary(plan, list(metrics), StudyFolder(Path("studies/x")))
    directions = [StudyDirection[name.upper()] for name in made.directions]
    study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=0))
    for number, end in enumerate(ends):
        trial = study.ask(distributions(plan.space))
        for key, value in ({"epochs": 4, "worker": str(number % 2), "host": "here"} | attributes).items():
            trial.set_user_attr(key, value)
        if len(metrics) == 1:
            for epoch in range(3):
                trial.report(0.1 * epoch, epoch)
        if not isinstance(end, TrialState):
            study.tell(trial, list(end))
            finish(StudyFolder(Path("studies/x")), number)
        elif end != TrialState.RUNNING:
            study.tell(trial, None, end)
    return made.of(study, seconds=1.0) | {"importance": importances(study)}


def finish(study: StudyFolder, number: int) -> None:
    """Leave what tells that a trial has a finished run."""
    study.trial(number).path.mkdir(parents=True, exist_ok=True)
    study.trial(number).metrics.write_text("{}")


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without plots, for tests that read what is said beside them."""
    monkeypatch.setattr(report, "_pictures", lambda *_: {})


@pytest.mark.slow
def test_a_study_is_told_whole_and_in_the_same_way_again() -> None:
    summary = summary_of([[0.5], [0.9], TrialState.PRUNED, TrialState.FAIL, [0.7], TrialState.RUNNING])
    text = render(summary)
    assert render(summary) == text
    page = parsed(text)
    titles = [page.texts[at] for at, text in enumerate(page.texts) if text in SECTIONS]
    assert titles == SECTIONS
    assert "0.9" in page.texts
    assert "one seed" in page.text
    assert "runcard evaluate studies/x/1\nruncard package studies/x" in page.text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["1/", "0/", "1/", "2/", "3/", "4/", "5/"]
    assert len(page.pictures()) >= 6
    assert {"complete", "pruned", "fail", "running", "best so far"} <= {text.strip() for text in page.texts}


CAME: dict[str, Sequence[End]] = {
    "nothing": [],
    "one": [[0.5]],
    "all pruned": [TrialState.PRUNED] * 3,
    "all failed": [TrialState.FAIL] * 3,
    "one runs": [TrialState.RUNNING],
    "all the same": [[0.5]] * 4,
    "far apart": [[0.5], [float("inf")], [-1e140], [1e140]],
}
OFTEN = ("nothing", "all pruned", "far apart")


@pytest.mark.parametrize(
    "ends",
    [pytest.param(ends, id=name, marks=[] if name in OFTEN else pytest.mark.slow) for name, ends in CAME.items()],
)
def test_whatever_came_of_it(ends: Sequence[End]) -> None:
    page = parsed(render(summary_of(ends)))
    assert set(SECTIONS) <= set(page.texts)
    assert ("There is none" in page.text) == (not any(isinstance(end, list) for end in ends))


@pytest.mark.slow
def test_several_objectives_have_a_front() -> None:
    ends: list[End] = [[0.5, 1.0], [0.9, 3.0], [0.4, 2.0], TrialState.FAIL]
    page = parsed(render(summary_of(ends, metrics=["val/accuracy", "latency_ms"])))
    assert {"Pareto front", "Trade-off"} <= set(page.texts)
    assert any("on the Pareto front: trials 1, 0" in picture for picture in page.pictures())
    assert "Pareto front" in parsed(render(summary_of([], metrics=["val/accuracy", "latency_ms"]))).texts


@pytest.mark.usefixtures("words_only")
def test_seeds_have_a_spread() -> None:
    page = parsed(render(summary_of([[0.5], [0.9]], seed_values=[[0.4], [0.6]])))
    assert "± 0.141421" in page.text
    assert "Over its 2 runs of other seeds: val/accuracy 0.5000, standard deviation 0.14." in page.text


@pytest.mark.usefixtures("words_only")
def test_however_many_keys_are_varied_the_table_of_trials_has_few_columns() -> None:
    keys = ["optimizer.lr", "model.dropout", "optimizer.weight_decay", "trainer.label_smoothing"]
    words = ["data=wine", "sweep=random", *(f"{key}=1e-4,0.01,0.05" for key in keys), "model.hidden=[8],[9],[4,4]"]
    text = render(summary_of([[0.5], [0.9], [0.7]], words))
    head = text.partition("All trials</h2>")[2].partition("</tr>")[0]
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == [
        "trial", "state", "val/accuracy", "epochs", "seconds", "worker", "tried"
    ]  # fmt: skip
    assert all(f'<span class="param">{key}=' in text for key in keys)


def test_a_finished_study_says_nothing_of_what_will_never_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_pictures", lambda *_: {"On the way": []})
    summary = summary_of([[0.5]])
    assert "On the way" not in render(summary | {"ended": "all trials are done"})
    assert "Nothing to show yet" in render(summary | {"ended": ""})


@pytest.mark.usefixtures("words_only")
def test_a_grid_is_put_together_over_its_seeds() -> None:
    words = ["data=wine", "sweep=grid", "seed=1,2", "model=linear,mlp"]
    page = parsed(render(summary_of([[0.5], [0.9], [0.7], [0.6]], words)))
    assert "Choices over their seeds" in page.texts


@pytest.mark.usefixtures("words_only")
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([0.5, 0.6, 0.9, 1.0], "Over its 2 runs of other seeds: val/accuracy 0.9500, standard deviation 0.071."),
        ([0.5, 0.6, 0.9, 1.0], "The next choice is model=linear: val/accuracy 0.5500, standard deviation 0.071 over 2"),
        ([0.5, 0.6, 0.9, 1.0], "It is the best of 2 choices, and such a value flatters"),
        ([0.9, 1.0, 1.0, 0.95], "2 of 4 finished trials have the winner's value; the earliest of them is taken."),
        ([0.2, 1.0, 0.8, 0.9], "On the average over seeds another choice is better: model=mlp: val/accuracy 0.8500"),
    ],
)
def test_how_sure_it_is(values: list[float], says: str) -> None:
    summary = summary_of([[value] for value in values])
    for trial, model in zip(summary["trials"], ("linear", "linear", "mlp", "mlp"), strict=True):
        trial["params"] = {"model": model, "seed": trial["number"]}
    assert says in " ".join(parsed(render(summary)).text.split())


def test_what_others_wrote_is_text() -> None:
    nasty = "<script>alert(1)</script>"
    summary = summary_of([[0.5], [0.9], TrialState.FAIL], error=nasty)
    for number, trial in enumerate(summary["trials"]):
        trial["params"] |= {"data.note": [nasty, "$x$", "a\x1b[31m\ud800", '"><b>'][number], nasty: nasty}
        trial["worker"] = nasty
    summary |= {"study": f"studies/{nasty}", "space": {nasty: nasty}, "ended": nasty}
    text = render(summary)
    page = parsed(text)
    assert "<script" not in text
    assert page.text.count(nasty) > 5
    text.encode()


@pytest.mark.usefixtures("words_only")
def test_a_run_folder_cannot_be_another_scheme() -> None:
    summary = summary_of([[0.5]])
    summary["study"], summary["trials"][0]["run"] = ".", "javascript:alert(1)"
    summary["best"]["run"] = "javascript:alert(1)"
    assert "javascript%3Aalert%281%29/" in render(summary)
    parsed(render(summary))


STATES = [TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
PARAMS = st.dictionaries(st.sampled_from([f"model.key_{n}" for n in range(10)]), VALUES, max_size=10)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC))
TRIALS = st.fixed_dictionaries(
    {
        "params": PARAMS,
        "started": st.none() | MOMENTS.map(datetime.datetime.isoformat),
        "seconds": st.none() | st.floats(0, 1e7),
        "epochs": st.none() | st.integers(0, 1000),
        "worker": st.none() | st.text(max_size=5) | st.integers(0, 5).map(str),
        "reports": st.lists(st.tuples(st.integers(0, 100), NUMBERS), max_size=4),
    }
)


ODD = st.lists(st.tuples(st.sampled_from([[0.5], [-1e140], [1e140], [3.0], *STATES]), TRIALS), max_size=6)
# Without shrinking, which takes minutes: a page takes half a second.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=1, deadline=None, phases=PHASES)
@given(ODD)
def test_odd_trials(drawn: list[tuple[End, Mapping[str, Any]]]) -> None:
    told_whole(drawn)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, phases=PHASES)
@given(ODD)
def test_many_odd_trials(drawn: list[tuple[End, Mapping[str, Any]]]) -> None:
    told_whole(drawn)


def told_whole(drawn: list[tuple[End, Mapping[str, Any]]]) -> None:
    summary = summary_of([end for end, _ in drawn])
    for trial, (_, odd) in zip(summary["trials"], drawn, strict=True):
        trial |= odd
    assert set(SECTIONS) <= set(parsed(render(summary)).texts)


def test_what_pruning_saved() -> None:
    epochs = [("COMPLETE", 10), ("COMPLETE", 20), ("PRUNED", 3), ("PRUNED", None), ("FAIL", 1)]
    assert epochs_saved([{"state": state, "epochs": count} for state, count in epochs]) == (12, 45)
    assert epochs_saved([{"state": "PRUNED", "epochs": 3}]) is None


@pytest.mark.slow
def test_a_thousand_trials() -> None:
    summary = summary_of([[0.5], [0.9], TrialState.PRUNED])
    trials = [summary["trials"][number % 3] | {"number": number, "value": None} for number in range(1000)]
    for trial in trials:
        number = trial["number"]
        trial |= {"params": {f"model.key_{key}": (number * 7919 * key) % 1009 for key in range(1, 9)}}
        trial |= {"reports": [[epoch, number % 97 / (1 + epoch)] for epoch in range(50)], "seconds": 30.0}
        if trial["state"] == "COMPLETE":
            trial |= {"value": number / 1000, "values": [number / 1000]}
    summary |= {"trials": trials, "best": trials[997] | {"std": None}}
    text = render(summary)
    assert len(text) < 5 * 2**20
    parsed(text)
