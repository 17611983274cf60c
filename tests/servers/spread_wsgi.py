"""For gunicorn: `spread_wsgi:app`, as `spread_asgi.py`."""
import json, os
from counting import note


def app(environment, start_response):
    note(environment["QUERY_STRING"])
    pid = os.getpid()
    body = json.dumps({"worker": {"pid": pid}}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("X-Worker", str(pid))]
    start_response("200 OK", headers)
    return [body]
