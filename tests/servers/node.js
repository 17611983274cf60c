// One event loop. /blocking holds it, /timer does not; /stream sends a number's worth of kilobytes
// each tenth of a second; /quick takes two milliseconds.
const http = require("http");

const paths = {
  "/blocking": (response) => {
    for (const end = Date.now() + 400; Date.now() < end; );
    response.end("done\n");
  },
  "/timer": (response) => setTimeout(() => response.end("done\n"), 400),
  "/quick": (response) => setTimeout(() => response.end("done\n"), 2),
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
  if (handler) return handler(response, url.searchParams);
  response.statusCode = 404;
  response.end();
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
