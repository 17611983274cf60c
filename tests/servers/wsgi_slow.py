"""For gunicorn: `wsgi_slow:app`. `/fast` answers at once, every other path after 400 ms."""
import time


def app(environment, start_response):
    if environment["PATH_INFO"] != "/fast":
        time.sleep(0.4)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"done\n"]
