"""What the verbs say of a study to people: who won, how sure that is, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcard.advice import advise
from runcard.cli.terminal import Row, table_text
from runcard.cli.text import shown_path
from runcard.leaves import shown
from runcard.tuning.doubts import find_doubts
from runcard.tuning.ranking import SEED, SPLIT, grouped, number_text

if TYPE_CHECKING:
    from runcard.tuning.sweep import Study

# A grid of more choices is for the report.
MAX_ROWS = 30


def study_data(study: Study) -> dict[str, Any]:
    """For machines: the winner, how trials ended, and for a grid what came of each choice."""
    summary = study.summary
    data = {"study": str(study.folder.path), "best": study.best, "states": summary["states"]}
    if summary.get("front"):
        data["front"] = summary["front"]
    return data | ({"table": grouped(summary)} if _is_table(summary) else {})


def study_text(study: Study, width: int | None) -> str:
    """For people.

    Args:
        study: A study with a winner.
        width: Of the terminal; None: there is none.
    """
    summary, best, folder = study.summary, study.best, study.folder
    where, place = shown_path(Path(best["run"])), shown_path(folder.path)
    lines = []
    if _is_table(summary):
        lines += [_table(summary, width), ""]
    if summary.get("front"):
        lines += [_front(summary, width), ""]
    lines += [
        f"winner: trial {best['number']}, {_value(summary, best)}{_ended_otherwise(summary)}",
        *(f"  {key}={shown(value)}" for key, value in best["params"].items()),
        *(f"note    {line}" for line in find_doubts(summary)),
        *_ended_early(summary),
        f"run     {where}",
        f"study   {shown_path(folder.path)}",
    ]
    if folder.report.is_file():
        lines.append(f"report  {shown_path(folder.report)}")
    lines += _next(study, where, place)
    return "\n".join(lines)


def _next(study: Study, where: str, place: str) -> Iterator[str]:
    over = len([trial for trial in study.summary["trials"] if trial["state"] != "RUNNING"])
    wanted = study.summary["n_trials"]
    commands = [f"{advise('runcard', 'resume', place)}  # {over} of {wanted} trials are done"] if over < wanted else []
    commands += [advise("runcard", "evaluate", where), advise("runcard", "package", place)]
    yield f"next    {commands[0]}"
    yield from (f"        {command}" for command in commands[1:])


def _value(summary: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    names = summary.get("metrics") or [summary["metric"]]
    values = best.get("values") or [best["value"]]
    said = ", ".join(f"{name} {number_text(value)}" for name, value in zip(names, values, strict=True))
    runs = len(best.get("seed_values") or ())
    return f"{said} ± {best['std']:.4f} over {runs} seeds" if best.get("std") is not None else said


def _ended_otherwise(summary: Mapping[str, Any]) -> str:
    states, total = summary["states"], len(summary["trials"])
    said = [f"{states['PRUNED']} of {total} trials pruned"] if states.get("PRUNED") else []
    if states.get("FAIL"):
        said.append(f"{states['FAIL']} of {total} trials failed; study.json says why")
    return f" ({', '.join(said)})" if said else ""


def _ended_early(summary: Mapping[str, Any]) -> list[str]:
    over = sum(trial["state"] != "RUNNING" for trial in summary["trials"])
    return [f"ended   {summary['ended']}"] if summary.get("ended") and over < summary["n_trials"] else []


def _is_table(summary: Mapping[str, Any]) -> bool:
    """Whether each choice was to be tried, as in a grid, and chance is in the seeds alone."""
    return summary["sampler"] in ("grid", "brute_force") and len(summary.get("metrics") or ()) < 2


def _table(summary: Mapping[str, Any], width: int | None) -> str:
    rows = grouped(summary)
    seeds = not {SEED, SPLIT}.isdisjoint(summary["space"]) or (summary.get("seeds") or 1) > 1
    keys = [key for key in summary["space"] if key not in (SEED, SPLIT)]
    head: list[Row] = [
        [(key, "bold") for key in ["", *keys, f"mean {summary['metric']}" if seeds else summary["metric"]]]
    ]
    lines = [
        [("*" if row["winner"] else "", ""), *((_cell(row["params"], key), "") for key in keys), (_mean(row), "")]
        for row in rows[:MAX_ROWS]
    ]
    more = f"\n… and {len(rows) - MAX_ROWS} more in study.json" if len(rows) > MAX_ROWS else ""
    return table_text([*head, *lines], width, list(range(1, len(keys) + 1))) + more


def _front(summary: Mapping[str, Any], width: int | None) -> str:
    """The trials of which none is better in all."""
    names, keys = summary["metrics"], list(summary["space"])
    head: list[Row] = [[(name, "bold") for name in ["trial", *names, *keys]]]
    lines: list[Row] = [
        [
            (str(one["number"]), ""),
            *((number_text(value), "") for value in one["values"]),
            *((_cell(one["params"], key), "") for key in keys),
        ]
        for one in summary["front"][:MAX_ROWS]
    ]
    count = len(summary["front"])
    title = f"{count} trial{'s' if count > 1 else ''} that no other beats in every objective:"
    soft = list(range(1 + len(names), 1 + len(names) + len(keys)))
    return f"{title}\n{table_text([*head, *lines], width, soft)}"


def _mean(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "none finished"
    spread = f" ± {row['std']:.4f} (n={row['n']})" if row["std"] is not None else ""
    failed = f", {row['unfinished']} without a value" if row["unfinished"] else ""
    return f"{row['mean']:.4f}{spread}{failed}"


def _cell(params: Mapping[str, Any], key: str) -> str:
    return shown(params[key]) if key in params else "-"
