// HTTP/2 with three streams at a time on a connection. Each path takes `ms` (300), and blocks nothing.
//
// Arguments: a certificate and its key, for TLS, where HTTP/1.1 is served as well; without them, HTTP/2 by prior
// knowledge.
const fs = require("fs");
const http2 = require("http2");

const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const settings = { maxConcurrentStreams: 3 };
const answer = (request, response) => {
  const ms = Number(new URL(request.url, "http://localhost").searchParams.get("ms") ?? 300);
  setTimeout(() => response.end("done\n"), ms);
};
const server = cert
  ? http2.createSecureServer({ cert, key, settings, allowHTTP1: true }, answer)
  : http2.createServer({ settings }, answer);
const scheme = cert ? "https" : "http";
server.listen(0, "127.0.0.1", () => console.log(`${scheme}://127.0.0.1:${server.address().port}`));
