"""Answers every request with 200 and {}: stands in for @connections, Lambda's Invoke and SES where only the caller is looked at.

    accept.py ADDRESS FILE    listens on a free port of the address and writes the port to FILE once it does
"""
import http.server
import pathlib
import sys


class Accept(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], 0), Accept)
pathlib.Path(sys.argv[2]).write_text(str(server.server_address[1]), encoding="utf-8")
server.serve_forever()
