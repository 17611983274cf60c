// Two processes of another script, which get the connections in turn. It says where they are once both listen.
//
// Arguments: the script, and its arguments.
const cluster = require("cluster");

const [exec, ...args] = process.argv.slice(2);
cluster.setupPrimary({ exec, args, silent: true });
const workers = [cluster.fork(), cluster.fork()];
const said = workers.map(
  (worker) => new Promise((done) => worker.process.stdout.once("data", (line) => done(String(line)))),
);
// Both say the same, as they share the port.
Promise.all(said).then(([line]) => console.log(line.trim()));
for (const { process: child } of workers) child.stderr.pipe(process.stderr);
