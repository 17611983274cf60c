#!/usr/bin/env python3
"""Starts one of the servers in this folder on a free port of 127.0.0.1, and says where it is.

start.py NAME [ARGUMENT...], for example: start.py fastapi; POOL=2 start.py fastapi; start.py gunicorn -w 2;
start.py haproxy 127.0.0.1:8080, which is a proxy for the server at that address. This process becomes the
server, and whatever that one starts is in the same process group. scripts/test installs what the servers need.
"""
import os, pathlib, socket, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")).resolve()


def script(name, *arguments):
    program = {".js": "node", ".py": sys.executable}[pathlib.Path(name).suffix]
    return [program, str(HERE / name), *arguments]


def cluster(name, *arguments):
    return script("cluster.js", str(HERE / name), *arguments)


def module(name, *arguments):
    os.chdir(HERE)
    return [sys.executable, "-m", name, *arguments]


def folder():
    """Where a server may write: FOLDER, or one that stays when the server has ended."""
    return os.environ.get("FOLDER") or tempfile.mkdtemp(prefix="server-")


def certificate():
    """The files of a new certificate, which no authority signed, and of its key."""
    cert, key = (f"{folder()}/{name}.pem" for name in ("cert", "key"))
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    subprocess.run([*command.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def hypercorn(*arguments):
    cert, key = certificate()
    where = ["--bind", "127.0.0.1:0", "--certfile", cert, "--keyfile", key]
    return module("hypercorn", *where, *arguments, "asgi_routes:app")


def go():
    """Builds the program below the build's folder."""
    program = TARGET / "tmp" / "go-routes"
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as new:
        subprocess.run(["go", "build", "-o", f"{new}/program", HERE / "routes.go"], check=True)
        os.replace(f"{new}/program", program)
    return [str(program)]


def php():
    return ["php", "-d", f"session.save_path={folder()}", "-S", "127.0.0.1:0", str(HERE / "session.php")]


def listening():
    """A socket that the server inherits, so that no other program can take the port in between. It listens
    already, and where it is can be said now."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.set_inheritable(True)
    address = "127.0.0.1:{}".format(listener.getsockname()[1])
    print(f"http://{address}", flush=True)
    return listener.detach(), address


def nginx(upstream):
    return nginx_with("nginx.conf", UPSTREAM=upstream)


def balance(method, *upstreams):
    """A balancer: its method is round_robin, which is nginx's default, or the name of another one."""
    method = "" if method == "round_robin" else f"{method};"
    return nginx_with("balance.conf", METHOD=method, SERVERS=" ".join(f"server {at};" for at in upstreams))


def nginx_with(config, **values):
    listener, address = listening()
    # As from an older nginx, which this one replaces.
    os.environ["NGINX"] = f"{listener};"
    filled = (HERE / config).read_text()
    writable = folder()
    for name, value in {"LISTEN": address, "FOLDER": writable, **values}.items():
        filled = filled.replace(name, value)
    config = pathlib.Path(writable, "nginx.conf")
    config.write_text(filled)
    return ["nginx", "-e", "stderr", "-c", str(config)]


def haproxy(upstream):
    os.environ.update(LISTENER=str(listening()[0]), UPSTREAM=upstream)
    return ["haproxy", "-db", "-f", str(HERE / "haproxy.cfg")]


def counting(name, *arguments):
    """A server whose processes count their own requests, in FOLDER."""
    os.environ["FOLDER"] = folder()
    return module(name, *arguments)


SERVERS = {
    "balance": balance,
    "cluster": lambda: cluster("node.js"),
    "cluster-spread": lambda: cluster("spread.js"),
    "cluster-http2": lambda: cluster("http2.js", *certificate()),
    "fastapi": lambda *arguments: module("uvicorn", "--port", "0", *arguments, "asgi_routes:app"),
    "flask": lambda: script("flask_routes.py"),
    "go": go,
    "gunicorn-spread": lambda *arguments: counting("gunicorn", "--bind", "127.0.0.1:0", *arguments, "spread_wsgi:app"),
    "gunicorn": lambda *arguments: module("gunicorn", "--bind", "127.0.0.1:0", *arguments, "wsgi_slow:app"),
    "h2c": lambda: script("http2.js"),
    "haproxy": haproxy,
    "http2": lambda: script("http2.js", *certificate()),
    "http_server": lambda *arguments: script("http_server.py", *arguments),
    "hypercorn": hypercorn,
    "limits": lambda: script("limits.js"),
    "nginx": nginx,
    "node": lambda: script("node.js"),
    "php": php,
    "contrasts": lambda: script("contrasts.js"),
    "shapes": lambda: script("shapes.js"),
    "tornado": lambda: script("tornado_faq.py"),
    "uvicorn-spread": lambda *arguments: counting(
        "uvicorn", "--port", "0", "--lifespan", "off", "--no-access-log", *arguments, "spread_asgi:app"
    ),
}

if __name__ == "__main__":
    if not sys.argv[1:] or sys.argv[1] not in SERVERS:
        sys.exit(f"{__doc__}\nThe names: {', '.join(SERVERS)}.")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PYTHONPATH"] = str(TARGET / "python")
    command = SERVERS[sys.argv[1]](*sys.argv[2:])
    os.execvp(command[0], command)
