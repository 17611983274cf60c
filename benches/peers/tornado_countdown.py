"""The countdown in Tornado: python3 tornado_countdown.py PORT (as `tornado.py` it would import itself)"""

import asyncio
import json
import sys
from itertools import count
from time import monotonic

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

numbers = count(1)


def seconds(text):
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])


class Coroutine(RequestHandler):
    async def get(self):
        start = int(self.get_query_argument("from", "5"))
        period = seconds(self.get_query_argument("period", "1s"))
        stream = next(numbers)
        self.set_header("Content-Type", "application/x-ndjson")
        first = monotonic()
        try:
            for k in range(start + 1):
                elapsed = monotonic() - first
                line = {
                    "remaining": start - k,
                    "handler": "coroutine",
                    "stream": stream,
                    "worker": 0,
                    "elapsed_ms": round(elapsed * 1000, 1),
                    "late_ms": round((elapsed - k * period) * 1000, 1),
                }
                self.write(json.dumps(line, separators=(",", ":")) + "\n")
                await self.flush()
                if k < start:
                    await asyncio.sleep(first + (k + 1) * period - monotonic())
        except StreamClosedError:
            pass  # the client left


async def main():
    sockets = bind_sockets(int(sys.argv[1]), "127.0.0.1", backlog=4096)
    HTTPServer(Application([("/coroutine", Coroutine)])).add_sockets(sockets)
    print(f"listening on 127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
