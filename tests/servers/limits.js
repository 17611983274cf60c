// One event loop, in which nothing blocks and `limit` requests at a time get through; the others wait, first
// come, first served. Each takes `ms` (300).
//
// /wait: as it says. /reject: what is beyond the limit gets status 503 at once. /none: no limit. /fast: at
// once. /tokens: a language model with `limit` slots, which streams as many tokens as the next answer has.
const http = require("http");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Path and limit to the requests that have a place, and to those that wait for one.
const gates = new Map();

function gateOf(path, limit) {
  const name = `${path} ${limit}`;
  if (!gates.has(name)) gates.set(name, { free: limit, waiting: [] });
  return gates.get(name);
}

async function within(gate, work) {
  if (gate.free > 0) gate.free--;
  else await new Promise((go) => gate.waiting.push(go));
  await work();
  const next = gate.waiting.shift();
  if (next) next();
  else gate.free++;
}

// How many tokens the answers have, one after the other.
const lengths = [6, 10, 4, 14, 8, 12];
let answers = 0;

async function speak(response) {
  const length = lengths[answers++ % lengths.length];
  for (let token = 0; token < length; token++) {
    await sleep(60);
    response.write(`data: {"token": ${token}}\n\n`);
  }
}

const paths = {
  "/wait": async (response, gate, ms) => within(gate, () => sleep(ms)),
  "/reject": async (response, gate, ms) => {
    if (gate.free > 0) return within(gate, () => sleep(ms));
    response.statusCode = 503;
  },
  "/none": async (response, gate, ms) => sleep(ms),
  "/fast": async () => {},
  "/tokens": async (response, gate) => within(gate, () => speak(response)),
};

const server = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const limit = Number(searchParams.get("limit") ?? 2);
  const ms = Number(searchParams.get("ms") ?? 300);
  if (pathname === "/tokens") response.setHeader("Content-Type", "text/event-stream");
  await paths[pathname](response, gateOf(pathname, limit), ms);
  response.end("done\n");
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
