// The countdown in Node's http: node node.mjs PORT
import { createServer } from "node:http";

let streams = 0;

const milliseconds = (text) => parseFloat(text) * (text.endsWith("ms") ? 1 : 1000);
const tenths = (ms) => Math.round(ms * 10) / 10;

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (request.method !== "GET" || pathname !== "/coroutine") {
    response.writeHead(404).end();
    return;
  }
  const from = Number(searchParams.get("from") ?? 5);
  const period = milliseconds(searchParams.get("period") ?? "1s");
  const stream = ++streams;
  const first = performance.now();
  let k = 0;
  let timer;

  const tick = () => {
    const elapsed = performance.now() - first;
    const line = {
      remaining: from - k,
      handler: "coroutine",
      stream,
      worker: 0,
      elapsed_ms: tenths(elapsed),
      late_ms: tenths(elapsed - k * period),
    };
    response.write(JSON.stringify(line) + "\n");
    if (k === from) {
      response.end();
      return;
    }
    k += 1;
    // Node cuts a timer's time to whole milliseconds.
    timer = setTimeout(tick, Math.ceil(first + k * period - performance.now()));
  };

  response.on("close", () => clearTimeout(timer));
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  tick();
});

server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 }, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
