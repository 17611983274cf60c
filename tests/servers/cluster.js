// Processes of another script, WORKERS (2) of them, which get the connections in turn. It says where they are once all
// of them listen.
//
// Arguments: the script, and its arguments.
const cluster = require("cluster");

const [exec, ...args] = process.argv.slice(2);
cluster.setupPrimary({ exec, args, silent: true });
const workers = Array.from({ length: Number(process.env.WORKERS || 2) }, () => cluster.fork());
const said = workers.map(
  (worker) => new Promise((done) => worker.process.stdout.once("data", (line) => done(String(line)))),
);
// All say the same, as they share the port.
Promise.all(said).then(([line]) => console.log(line.trim()));
for (const { process: child } of workers) child.stderr.pipe(process.stderr);
