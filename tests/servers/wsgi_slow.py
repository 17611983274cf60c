"""For gunicorn: `wsgi_slow:app`."""
import time


def app(_environment, start_response):
    time.sleep(0.4)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
