// Runs in Firefox itself. Errors of scripts and of the policy (CSP) reach its own console by
// themselves; `console.error` stays in the page's process, so it is sent from there.
const inPages = () => {
  const system = Cc["@mozilla.org/systemprincipal;1"].createInstance(Ci.nsIPrincipal);
  const text = (value) => {
    if (typeof value === "string") return value;
    try {
      // An error has no properties of its own to list.
      const json = JSON.stringify(value);
      return json === undefined || json === "{}" ? String(value) : json;
    } catch {
      return "something";
    }
  };
  Cc["@mozilla.org/consoleAPI-storage;1"]
    .getService(Ci.nsIConsoleAPIStorage)
    .addLogEventListener((event) => {
      event = event.wrappedJSObject ?? event;
      if (event.level !== "error" && event.level !== "assert") return;
      const said = event.arguments.map(text).join(" ");
      sendAsyncMessage("holdup", { source: event.filename, said });
    }, system);
};
Services.holdup = [];
Services.ppmm.addMessageListener("holdup", ({ data }) => Services.holdup.push(data));
// In the present processes and in those to come.
const script = `data:application/javascript,${encodeURIComponent(`(${inPages})()`)}`;
Services.ppmm.loadProcessScript(script, true);
// It has also tried it in this process, where it may not: that is no error of a page's.
Services.console.reset();
