"""A project's own files of groups, as far as its rows tell: data, problem, model, and the experiment of the three."""

from __future__ import annotations

from pathlib import Path

from runcard.card.metrics import DEFAULT_METRIC, METRICS
from runcard.data.survey import Survey
from runcard.starting.yamlfile import Value, adapted, aligned, scalar, schema, shown, value

# With fewer rows a model is narrow and held back; with fewer still it sees them more often.
FEW, VERY_FEW = 1000, 300
# So many times more rows of one class than of another, and plain accuracy praises who always says the first.
UNEVEN = 4
KINDS = "number | category | boolean | text (for model=pretrained) | ignore"
PATH = "the file stays where it is: rows may be many or private, and a copy would grow old"
MEANING = {
    "data": "which rows",
    "problem": "why, and what is good enough",
    "model": "which network; model=linear is the plain one, model=own one of your own",
}
# So many classes are counted in a comment.
COUNTED = 6


def of_table(name: str, survey: Survey) -> dict[str, str]:
    """The files of a project around a table, by their names below ``conf/``."""
    return {
        f"data/{name}.yaml": _data(name, survey),
        f"problem/{name}.yaml": _problem(name, survey),
        f"model/{name}.yaml": _model(name, survey),
        f"experiment/{name}.yaml": _experiment(name, what(survey), {"data": name, "model": name}, _few(survey.rows)),
    }


def of_digits(name: str) -> dict[str, str]:
    """The files of a project around handwritten digits, as an example to change."""
    head = [
        f"{name}: {what(None)}.",
        f"Chosen by conf/experiment/{name}.yaml.",
        "  runcard fit problem.least_value=0.98",
    ]
    model = {"hidden": Value("[256, 256]"), "dropout": Value("0.3"), "input_dropout": Value("0.1")}
    rate = ["optimizer:", "  lr: 1.0e-3  # step size, above 0; steadier than 3e-3 for a wide network"]
    choices = {"data": "digits", "problem": name, "model": name}
    return {
        f"problem/{name}.yaml": adapted("problem/digits", head, {}),
        f"model/{name}.yaml": adapted("model/mlp", _model_head(name), model),
        f"experiment/{name}.yaml": _experiment(name, what(None), choices, rate),
    }


def what(survey: Survey | None) -> str:
    """What the project does, in a few words; without rows of its own it reads digits."""
    if survey is None:
        return "reads handwritten digits, which come with scikit-learn"
    return f"predicts {shown(survey.truth.name)} from the other columns of {shown(Path(survey.path).name)}"


def metric_of(survey: Survey) -> str:
    """The metric that suits the target: for classes of unlike size one that does not praise the largest."""
    counts = list(survey.truth.counts.values())
    if not counts or counts[0] < UNEVEN * counts[-1]:
        return DEFAULT_METRIC["classification" if counts else "regression"]
    return "roc_auc" if len(counts) == 2 else "balanced_accuracy"


def guessing(survey: Survey) -> str:
    """What who has learned nothing reaches in the metric."""
    counts, metric = survey.truth.counts, metric_of(survey)
    first = next(iter(counts), "")
    return {
        "accuracy": f"always saying {shown(first)} gives {counts.get(first, 0) / survey.rows:.2f}",
        "balanced_accuracy": f"always saying {shown(first)} gives {1 / max(len(counts), 1):.2f}",
        "roc_auc": "guessing gives 0.5",
        "r2": "always answering the mean gives 0",
    }[metric]


def _data(name: str, survey: Survey) -> str:
    head = [
        f"{shown(Path(survey.path).name)}: {survey.rows} rows. The kinds were guessed from the values: look them over.",
        f"Chosen by conf/experiment/{name}.yaml. A column that is ignored is neither learned from nor asked for later.",
        f"  runcard fit data.batch_size={2 * _batch(survey.rows)}",
    ]
    columns = tuple((f"{scalar(column)}: {look.kind}", look.remark) for column, look in survey.looks.items())
    values = {
        "path": Value(value(survey.path), PATH),
        "kinds": Value("", KINDS, below=columns),
        "separator": Value(scalar(survey.separator)),
        "null_values": Value(f"[{', '.join(map(scalar, survey.null_values))}]"),
        "encoding": Value(scalar(survey.encoding)),
        "ragged": Value(survey.ragged),
        **_spelled(survey),
        **_lacking(survey),
        "batch_size": Value(str(_batch(survey.rows))),
    }
    return adapted("data/table", head, values)


def _spelled(survey: Survey) -> dict[str, Value]:
    """How columns write what they do not write plainly."""
    found = survey.spellings
    formats = tuple((f"{scalar(name)}: {scalar(one.format)}", "") for name, one in found.items() if one.format)
    nulls = tuple(
        (f"{scalar(name)}: [{', '.join(map(scalar, one.null_values))}]", "")
        for name, one in found.items()
        if one.null_values
    )
    columns = {"formats": formats, "null_values_of": nulls}
    return {"decimal": Value('"."')} | {key: Value("", below=below) for key, below in columns.items() if below}


def _lacking(survey: Survey) -> dict[str, Value]:
    dropped, lacking = survey.dropped, survey.lacking
    values = {}
    if missing := dropped.get("missing_target"):
        said = f"{missing} of {survey.rows} rows lack the truth and are left out; refuse: they are an error"
        values["missing_target"] = Value(lacking.missing, said)
    if rare := dropped.get("rare_classes"):
        said = f"{rare} rows of classes with one or two are left out; refuse: an error; merge: one class, other"
        values |= {"rare_classes": Value(lacking.rare, said), "min_rows": Value(str(lacking.min_rows))}
    return values


def _problem(name: str, survey: Survey) -> str:
    head = [
        f"{name}: {what(survey)}.",
        f"Chosen by data={name}. The sentences are yours to write: each report begins with them.",
        f"  runcard fit problem.metric={metric_of(survey)}",
    ]
    metric = f"{METRICS[metric_of(survey)].meaning}; {guessing(survey)}"
    values = {
        "task": Value(survey.truth.task, f"classification | regression; {_counted(survey)}"),
        "target": Value(value(survey.truth.name)),
        "metric": Value(metric_of(survey), metric),
    }
    return adapted("problem/table", head, values)


def _model(name: str, survey: Survey) -> str:
    narrow = {"hidden": Value("[64]"), "dropout": Value("0.2")} if survey.rows < FEW else {}
    return adapted("model/mlp", _model_head(name), narrow)


def _model_head(name: str) -> list[str]:
    return [
        "Multilayer perceptron with ReLU, its size chosen by the number of rows.",
        f"Chosen by conf/experiment/{name}.yaml; compare it with model=linear, which every other must beat.",
        "  runcard fit 'model.hidden=[128,64]'",
    ]


def _experiment(name: str, does: str, choices: dict[str, str], values: list[str]) -> str:
    chosen = aligned((f"- override /{group}: {choice}", MEANING[group]) for group, choice in choices.items())
    lines = [
        "# @package _global_",
        schema("experiment"),
        f"# {name}: {does}.",
        "# What is not said here is as Runcard ships it: `runcard check` prints the whole card.",
        "#   runcard fit",
        "defaults:",
        *(f"  {line}" for line in chosen),
        f"name: {name}  # folder of its runs, below runs/",
    ]
    return "\n".join([*lines, *values]) + "\n"


def _few(rows: int) -> list[str]:
    """What holds a model back where there is little to learn from."""
    weights = ["optimizer:", "  weight_decay: 0.1  # pull towards 0 each step, 0 or more; much, for there are few rows"]
    epochs = ["trainer:", "  max_epochs: 60  # times every training row is seen; many, for an epoch is a few steps"]
    return (weights if rows < FEW else []) + (epochs if rows < VERY_FEW else [])


def _batch(rows: int) -> int:
    return 16 if rows < VERY_FEW else 32 if rows < FEW else 64 if rows < 50 * FEW else 256


def _counted(survey: Survey) -> str:
    counts = list(survey.truth.counts.items())
    if not counts:
        return "these are numbers"
    first = ", ".join(f"{shown(text, 20)} {count}" for text, count in counts[:COUNTED])
    return f"{len(counts)} classes, rows of each: {first}" + (", …" if len(counts) > COUNTED else "")
