"""Send a classifier's test rows to the service, one request a row, and compare the answers with the labels.

python scripts/ask.py RUN http://127.0.0.1:3000
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

import runcard


def main(path: str, url: str) -> int:
    """Print the served accuracy beside the run's; 0 if they are the same number."""
    rows, truth = runcard.tested_rows(path)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    started = time.monotonic()
    answers = [_answer(connection, row) for row in rows]
    seconds = time.monotonic() - started
    served = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True)) / len(truth)
    evaluated = runcard.load_run(path).metrics["test/accuracy"]
    equal = served == evaluated
    print(f"{len(rows)} rows, {1000 * seconds / len(rows):.2f} ms each, answered by {answers[0]['model_version']}")
    print(f"accuracy over HTTP {served:.6f}, of the run {evaluated:.6f}: {'equal' if equal else 'NOT equal'}")
    return 0 if equal else 3


def _answer(connection: http.client.HTTPConnection, row: dict[str, object]) -> dict[str, object]:
    connection.request("POST", "/predict", json.dumps(row), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"the service answered {response.status}: {body.decode()}")
    answer: dict[str, object] = json.loads(body)
    return answer


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
