"""Who ran what when, and what was reported on the way."""

from __future__ import annotations

import datetime
from typing import Any

from runcard.tuning.timeline import MAX_CURVES, MAX_ROWS, curves, timeline

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def trial(number: int, worker: str | None, begin_s: float, seconds: float | None, **more: Any) -> dict[str, Any]:
    started = (BEGIN + datetime.timedelta(seconds=begin_s)).isoformat()
    state = "RUNNING" if seconds is None else "COMPLETE"
    return {"number": number, "worker": worker, "started": started, "seconds": seconds, "state": state} | more


def test_workers_have_a_row_each() -> None:
    picture = timeline({"trials": [trial(0, "0", 0, 60), trial(1, "1", 0, 30), trial(2, "1", 40, None)]})
    assert "3 trials, 2 rows, 60 seconds" in picture
    assert "worker 1" in picture
    assert "without the rest" not in picture


def test_a_rest_between_two_commands_is_cut_out() -> None:
    picture = timeline({"trials": [trial(0, "0", 0, 600), trial(1, "0", 86400, 600)]})
    assert "2 trials, 1 rows, 20 minutes" in picture
    assert "without the rest at the dotted lines" in picture


def test_many_jobs_share_rows() -> None:
    jobs = [trial(number, f"job-{number}", 10.0 * number, 15) for number in range(2 * MAX_ROWS)]
    assert f"{2 * MAX_ROWS} trials, 2 rows" in timeline({"trials": jobs})


def test_a_trial_that_had_no_worker_or_no_time() -> None:
    assert timeline({"trials": []}) == ""
    assert timeline({"trials": [trial(0, None, 0, 1) | {"started": None}]}) == ""
    assert "1 trials, 1 rows, 0 seconds" in timeline({"trials": [trial(0, None, 0, None)]})


def test_curves_are_few_and_one_is_the_winner() -> None:
    trials = [trial(number, "0", 0, 1, reports=[[0, 0.1], [1, None], [2, number]]) for number in range(3 * MAX_CURVES)]
    study = {"metrics": ["val/loss"], "directions": ["minimize"], "pruner": "median", "best": {"number": 7}}
    picture = curves(study | {"trials": trials})
    assert f"val/loss by epoch of {MAX_CURVES + 1} trials" in picture
    assert "the winner" in picture
    assert curves(study | {"trials": [trials[0] | {"reports": [[0, None]]}]}) == ""
    assert "by seed of" in curves(study | {"trials": trials, "pruner": "wilcoxon"})
