"""The handler of the Tornado FAQ that blocks, and its three cures; a lock kept across an await, and a route
that needs nothing."""
import asyncio, time
from tornado import gen, httpserver, ioloop, netutil, web

PAUSE = 0.4


class Blocking(web.RequestHandler):
    def get(self):
        time.sleep(PAUSE)
        self.write("done\n")


class Coroutine(web.RequestHandler):
    async def get(self):
        await gen.sleep(PAUSE)
        self.write("done\n")


class Callback(web.RequestHandler):
    async def get(self):
        called = asyncio.get_running_loop().create_future()
        ioloop.IOLoop.current().call_later(PAUSE, called.set_result, None)
        await called
        self.write("done\n")


class Threadpool(web.RequestHandler):
    async def get(self):
        await ioloop.IOLoop.current().run_in_executor(None, time.sleep, PAUSE)
        self.write("done\n")


class Lock(web.RequestHandler):
    lock = asyncio.Lock()

    async def get(self):
        async with self.lock:
            await gen.sleep(PAUSE)
        self.write("done\n")


class Fast(web.RequestHandler):
    async def get(self):
        self.write("done\n")


async def main():
    handlers = [(f"/{of.__name__.lower()}", of) for of in (Blocking, Coroutine, Callback, Threadpool, Lock, Fast)]
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    httpserver.HTTPServer(web.Application(handlers)).add_sockets(sockets)
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
