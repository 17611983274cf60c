"""Python's own server: `HTTPServer`, one request at a time, or `ThreadingHTTPServer`.

Arguments: the class; a certificate and its key, for TLS.
"""
import http.server, ssl, sys, time


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = f"{self.command}-{self.headers.get('Secret')}-{len(body)}"
        time.sleep(0.4)
        # /echo?status=… answers well only to a request with that method, header and length.
        self.send_response(200 if seen in self.path or "/echo" not in self.path else 400)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"done\n")

    do_POST = do_GET

    def log_message(self, *_):
        pass


server = getattr(http.server, sys.argv[1])(("127.0.0.1", 0), Slow)
if sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
