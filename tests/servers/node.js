// One event loop. /blocking holds it, /timer does not; /pieces holds it several times, without computing, and awaits
// in between; /render awaits first, and then holds it; /session and /me let one request at a time through for each
// cookie. /stream sends a number's worth of kilobytes
// each tenth of a second; /quick takes two milliseconds; /pbkdf2 computes in libuv's pool of four threads.
// /lock lets one request at a time through for each URL; /meeting only for the first URL that is asked
// several times at once, and /pause for the first two requests at once: as if connections met on one of
// several workers by chance.
const http = require("http");
const { pbkdf2, pbkdf2Sync } = require("crypto");

// URL to the promise that the last request for it has ended.
const last = new Map();

function inTurn(key, response, ms = 300) {
  const turn = (last.get(key) ?? Promise.resolve()).then(
    () => new Promise((ended) => setTimeout(ended, ms)),
  );
  last.set(key, turn);
  turn.then(() => response.end("done\n"));
}

// As a driver does that blocks.
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

let asked = 0;

// How many rounds of pbkdf2 take a millisecond of a core.
const before = process.cpuUsage().user;
pbkdf2Sync("secret", "salt", 20_000, 64, "sha512");
const rounds = (20_000 * 1000) / (process.cpuUsage().user - before);

// Without a cookie, a request has a session of its own.
const session = (request) => request.headers.cookie ?? Symbol();

const paths = {
  "/blocking": (response) => {
    for (const end = Date.now() + 400; Date.now() < end; );
    response.end("done\n");
  },
  "/pieces": async (response) => {
    for (let left = 3; left > 0; left--) {
      sleep(300);
      await new Promise((go) => setTimeout(go, 1));
    }
    response.end("done\n");
  },
  "/render": async (response) => {
    await new Promise((go) => setTimeout(go, 200));
    sleep(350);
    response.end("done\n");
  },
  "/timer": (response) => setTimeout(() => response.end("done\n"), 400),
  "/lock": (response, query) => inTurn(query.get("x"), response),
  "/meeting": (response, query) => {
    const x = query.get("x");
    inTurn(x.endsWith("-same0") ? x : Symbol(), response);
  },
  // The first three are for warming up and alone.
  "/session": (response, query, request) => inTurn(session(request), response),
  "/me": (response, query, request) => inTurn(session(request), response, 1),
  "/pause": (response) => inTurn([4, 5].includes(++asked) ? "pause" : Symbol(), response),
  "/quick": (response) => setTimeout(() => response.end("done\n"), 2),
  "/pbkdf2": (response, query) => {
    const ms = Number(query.get("ms") ?? 300);
    pbkdf2("secret", "salt", Math.round(ms * rounds), 64, "sha512", () => response.end("done\n"));
  },
  "/stream": (response, query) => {
    const chunk = "x".repeat(Number(query.get("bytes") ?? 100)) + "\n";
    let left = 4;
    const ticking = setInterval(() => {
      response.write(chunk);
      if (--left === 0) {
        clearInterval(ticking);
        response.end();
      }
    }, 100);
  },
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const handler = paths[url.pathname];
  if (handler) return handler(response, url.searchParams, request);
  response.statusCode = 404;
  response.end();
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
