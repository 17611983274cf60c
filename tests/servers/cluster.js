// Two processes of node.js, which get the connections in turn. It says where they are once both listen.
const cluster = require("cluster");
const path = require("path");

cluster.setupPrimary({ exec: path.join(__dirname, "node.js"), silent: true });
let listening = 0;
cluster.on("listening", (_, address) => {
  if (++listening === 2) console.log(`http://127.0.0.1:${address.port}`);
});
cluster.fork();
cluster.fork();
