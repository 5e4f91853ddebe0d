#!/usr/bin/env python3
"""An engine for check.sh: answers every question with one verdict, or never: engine.py VERDICT|silent DECISION URL_FILE."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

verdict, decision, url_file = sys.argv[1:]


class Engine(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if verdict == "silent":
            return self.send_error(404)
        with open(decision) as file:
            answer = json.load(file) | {key: value for key, value in asked.items() if key != "kind"}
        answer |= {"id": "01JDECISION", "verdict": verdict, "allow": verdict in ("allow", "warn")}
        body = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
with open(url_file, "w") as file:
    file.write(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
