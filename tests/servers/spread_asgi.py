"""For uvicorn: `spread_asgi:app`. Each answer names its process, in `x-worker` and at /worker/pid in its JSON, and
each process counts its requests itself."""
import json, os
from counting import note


async def app(scope, receive, send):
    assert scope["type"] == "http", "start it with --lifespan off"
    note(scope["query_string"].decode())
    pid = os.getpid()
    body = json.dumps({"worker": {"pid": pid}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"x-worker", b"%d" % pid)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
