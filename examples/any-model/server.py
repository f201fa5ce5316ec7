"""Stands for your program: doubles the numbers of a POST by the model in MODEL_DIR."""

import http.server
import json
import os
import sys

import numpy
import onnxruntime

session = onnxruntime.InferenceSession(os.path.join(os.environ["MODEL_DIR"], "double.onnx"))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        numbers = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(session.run(None, {"x": numpy.array(numbers, numpy.float32)})[0].tolist()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
