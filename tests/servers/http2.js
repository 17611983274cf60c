// HTTP/2 with up to STREAMS (100) streams at a time on a connection. /blocking holds the event loop for `ms` (300);
// every other path takes as long, and blocks nothing.
//
// Arguments: a certificate and its key, for TLS, where HTTP/1.1 is served as well; without them, HTTP/2 by prior
// knowledge.
const fs = require("fs");
const http2 = require("http2");

const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const settings = { maxConcurrentStreams: Number(process.env.STREAMS ?? 100) };
const answer = (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const ms = Number(searchParams.get("ms") ?? 300);
  if (pathname === "/blocking") {
    for (const end = Date.now() + ms; Date.now() < end; );
    response.end("done\n");
  } else setTimeout(() => response.end("done\n"), ms);
};
const server = cert
  ? http2.createSecureServer({ cert, key, settings, allowHTTP1: true }, answer)
  : http2.createServer({ settings }, answer);
const scheme = cert ? "https" : "http";
server.listen(0, "127.0.0.1", () => console.log(`${scheme}://127.0.0.1:${server.address().port}`));
