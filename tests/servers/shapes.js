// Servers that are none of the plain ones, each at a path of its own, in one event loop.
const http = require("http");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const block = (ms) => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

let begun = false;
let batch = [];
let batches = Promise.resolve();
let mailbox = [];
let tokens = 4;
let waiting = [];
let warm = 4;
let busy = 0;
let part = Promise.resolve();
let free = 3;
const queue = [];
let rate = Promise.resolve();

// A batch of one takes 300 ms, and one of four 1.7 times as long.
async function work() {
  while (batch.length > 0) {
    const some = batch.splice(0, 4);
    await sleep(300 * (1 + (0.7 * (some.length - 1)) / 3));
    for (const done of some) done();
  }
}

// One after the other, and all are answered when nothing is left to do.
async function act() {
  for (let place = 0; place < mailbox.length; place++) await sleep(300);
  for (const done of mailbox.splice(0)) done();
}

const paths = {
  // Answers at once, and what it leaves behind blocks the event loop.
  "/leaves": async () => void setTimeout(() => block(300), 5),
  // The same, behind a first request that takes its time for another reason.
  "/leaves/cold": async () => {
    if (!begun) await sleep(600);
    begun = true;
    setTimeout(() => block(300), 5);
  },
  // What is left behind takes its time, and blocks nobody.
  "/background": async () => {
    await sleep(300);
    setTimeout(() => {}, 300);
  },
  "/batches": () =>
    new Promise((done) => {
      batch.push(done);
      if (batch.length === 1) setTimeout(() => (batches = batches.then(work)), 10);
    }),
  "/actor": () =>
    new Promise((done) => {
      mailbox.push(done);
      if (mailbox.length === 1) act();
    }),
  // A bucket of four tokens, and one more each 250 ms.
  "/tokens": async () => {
    if (tokens === 0) await new Promise((go) => waiting.push(go));
    else tokens--;
    await sleep(250);
  },
  // Four instances are warm, and each further one has to start first.
  "/cold": async () => {
    busy++;
    const starts = busy > warm;
    await sleep(starts ? 1200 : 600);
    busy--;
    if (starts) warm++;
  },
  // The first answer is kept, whatever the query.
  "/kept": async () => {
    if (!begun) await sleep(600);
    begun = true;
  },
  // A pool of three, that waits for half a second at most.
  "/pool": async () => {
    if (free > 0) free--;
    else {
      const got = await Promise.race([
        new Promise((go) => queue.push(go)).then(() => true),
        sleep(500).then(() => false),
      ]);
      if (!got) return 500;
    }
    await sleep(400);
    // Those whose time was up do not come for it any more, but no harm is done.
    const next = queue.shift();
    if (next) next();
    else free++;
  },
  // A quarter of the work is done one at a time.
  "/part": async () => {
    const mine = part.then(() => sleep(100));
    part = mine;
    await mine;
    await sleep(300);
  },
  // One request each 300 ms, whoever asks.
  "/rate": async () => {
    const mine = rate;
    rate = rate.then(() => sleep(300));
    await mine;
  },
};
setInterval(() => {
  const go = waiting.shift();
  if (go) go();
  else tokens = Math.min(4, tokens + 1);
}, 250);

const powered = { "/leaves": "Express", "/batches": "PHP/8.2.7" };
const server = http.createServer(async (request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  const status = await paths[path]();
  if (powered[path]) response.setHeader("X-Powered-By", powered[path]);
  response.statusCode = status ?? 200;
  response.end("done\n");
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
