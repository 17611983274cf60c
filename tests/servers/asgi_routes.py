"""FastAPI, for uvicorn and hypercorn: `asgi_routes:app`.

`/def` and `/def-fast` run in AnyIO's threads, of which there are POOL (40); `/fast` runs in the event loop, as
`/blocking`, which holds it. `/pieces` holds it several times, and awaits in between, as one does that asks its
database with a driver that blocks.
"""
import asyncio, contextlib, os, time
import anyio.to_thread
from fastapi import FastAPI


@contextlib.asynccontextmanager
async def lifespan(_app):
    anyio.to_thread.current_default_thread_limiter().total_tokens = int(os.environ.get("POOL", 40))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/def")
def slow(ms: int = 300):
    time.sleep(ms / 1000)
    return "done"


@app.get("/def-fast")
def fast():
    return "done"


@app.get("/fast")
async def fast_in_the_loop():
    return "done"


@app.get("/blocking")
async def blocking(ms: int = 300):
    time.sleep(ms / 1000)
    return "done"


@app.get("/pieces")
async def pieces(times: int = 3, ms: int = 300):
    for _ in range(times):
        time.sleep(ms / 1000)
        await asyncio.sleep(0.001)
    return "done"
