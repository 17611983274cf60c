"""Flask with a thread for each connection. `/loop` computes for `ms` of a core, and so holds the interpreter's
lock; `/fast` answers at once."""
import time
from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)


@app.get("/loop")
def loop():
    # Of this thread alone, so that it is as much work beside others as it is alone.
    end = time.thread_time() + request.args.get("ms", 300, int) / 1000
    while time.thread_time() < end:
        sum(range(1000))
    return "done\n"


@app.get("/fast")
def fast():
    return "done\n"


server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
