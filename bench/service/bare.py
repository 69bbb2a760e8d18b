"""The least that answers: a Starlette route around the bundle's ONNX session, under the same uvicorn.

python -m bench.service.bare BUNDLE_FOLDER PORT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def main(folder: str, port: str) -> None:
    """Serve until SIGTERM."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = (Path(folder) / "model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    async def predict(request: Request) -> Response:
        row = orjson.loads(await request.body())
        inputs = np.array(row["image"], dtype=np.float32).reshape(1, 1, 8, 8)
        outputs = session.run(None, {"input": inputs})[0]
        return Response(orjson.dumps(outputs.tolist()), media_type="application/json")

    async def ready(request: Request) -> Response:
        return Response()

    routes = [Route("/predict", predict, methods=["POST"]), Route("/readyz", ready)]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
