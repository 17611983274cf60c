// As `spread_asgi.py`, for a cluster: each answer names its process, and each process counts its requests itself, in a
// file in FOLDER. `/request` names each request instead.
const fs = require("fs");
const http = require("http");

let requests = 0;

const server = http.createServer((request, response) => {
  const { pathname, search } = new URL(request.url, "http://localhost");
  fs.appendFileSync(`${process.env.FOLDER}/counted-${process.pid}`, `${search.slice(1)}\n`);
  requests += 1;
  const worker = pathname === "/request" ? `${process.pid}-${requests}` : process.pid;
  response.setHeader("x-worker", worker);
  response.end(JSON.stringify({ worker: { pid: process.pid } }));
});
server.listen(Number(process.env.PORT || 0), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
