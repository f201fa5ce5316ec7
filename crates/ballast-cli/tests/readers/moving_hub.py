"""Hugging Face's own client beside a hub that can be reached and has a newer revision."""

import http.server
import json
import os
import threading
import urllib.request

NEWER = "f" * 40
FILES = {"config.json": b'{"newer": true}', "sub/model.bin": b"other weights"}


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, headers=()):
        self.send_response(200 if body is not None else 404)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/org/tiny/tree"):
            rows = [{"type": "file", "path": name, "size": len(body), "oid": NEWER} for name, body in FILES.items()]
            return self.answer(json.dumps(rows).encode(), [("Content-Type", "application/json")])
        if path.startswith("/api/models/org/tiny"):
            siblings = [{"rfilename": name} for name in FILES]
            about = {"id": "org/tiny", "modelId": "org/tiny", "sha": NEWER, "private": False, "tags": [], "siblings": siblings}
            return self.answer(json.dumps(about).encode(), [("Content-Type", "application/json")])
        name = next((name for name in FILES if path.endswith("/" + name) and "/resolve/" in path), None)
        tag = f'"{NEWER[:30]}{sum(map(ord, name or "")):010d}"'
        return self.answer(FILES.get(name), [("X-Repo-Commit", NEWER), ("ETag", tag)])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
reached = json.load(urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/api/models/org/tiny/revision/main"))["sha"] == NEWER

from huggingface_hub import hf_hub_download, snapshot_download

whole = snapshot_download("org/tiny")
paths = [hf_hub_download("org/tiny", name) for name in FILES]
print(json.dumps({
    "reached": reached,
    "revision": os.path.basename(whole),
    "read": [open(path).read() for path in paths],
    "offline": os.environ.get("HF_HUB_OFFLINE"),
}))
