// Each handler takes 300 ms. /plain runs all requests at the same time. /session lets one request at a time
// through for each cookie; without a cookie, /session/guest does not wait, /session/private answers 401, and
// /session/login redirects. /stream sends four chunks. /moved redirects to /plain. /through/PATH passes the
// request on to PATH, and its answer back once it is complete; /narrow/PATH does the same two at a time.
const http = require("http");

const WORK = 300;

const work = () => new Promise((done) => setTimeout(done, WORK));

// The cookie to the promise that the last request with it has ended.
const last = new Map();

async function session(request, response, guest) {
  const cookie = request.headers.cookie;
  if (!cookie) return guest();
  const turn = (last.get(cookie) ?? Promise.resolve()).then(work);
  last.set(cookie, turn);
  await turn;
  response.end("done\n");
}

let free = 2;
const waiting = [];

async function narrow(request, response, path) {
  if (free > 0) free -= 1;
  else await new Promise((go) => waiting.push(go));
  await through(request, response, path);
  if (waiting.length > 0) waiting.shift()();
  else free += 1;
}

async function through(request, response, path) {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`);
  response.statusCode = answer.status;
  response.end(Buffer.from(await answer.arrayBuffer()));
}

async function plain(response) {
  await work();
  response.end("done\n");
}

function stream(response) {
  let left = 4;
  const ticking = setInterval(() => {
    response.write("tick\n");
    if (--left === 0) {
      clearInterval(ticking);
      response.end();
    }
  }, WORK / 4);
}

const turnedAway = (response, status, headers) => () => response.writeHead(status, headers).end();

const server = http.createServer((request, response) => {
  const [, kind, rest] = request.url.match(/^\/(through|narrow)(\/.*)$/) ?? [];
  if (kind === "through") return through(request, response, rest);
  if (kind === "narrow") return narrow(request, response, rest);
  switch (new URL(request.url, "http://localhost").pathname) {
    case "/plain":
      return plain(response);
    case "/session/guest":
      return session(request, response, () => plain(response));
    case "/session/private":
      return session(request, response, turnedAway(response, 401));
    case "/session/login":
      return session(request, response, turnedAway(response, 302, { location: "/plain" }));
    case "/stream":
      return stream(response);
    case "/moved":
      return turnedAway(response, 302, { location: "/plain" })();
    default:
      return turnedAway(response, 404)();
  }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
