// Runs in Firefox itself: what its console shows as errors of pages, each once.
const ofPage = (source) => !/^(resource|chrome|moz-extension):/.test(source);
const { infoFlag, warningFlag } = Ci.nsIScriptError;
const thrown = Services.console
  .getMessageArray()
  .filter((message) => message instanceof Ci.nsIScriptError && ofPage(message.sourceName))
  .filter(({ flags, category }) => !(flags & (infoFlag | warningFlag)) || category === "Script Loader")
  .map(({ category, sourceName, lineNumber, errorMessage }) =>
    `${category}: ${sourceName} ${lineNumber} ${errorMessage}`);
const said = Services.holdup
  .filter(({ source }) => ofPage(source))
  .map(({ source, said }) => `console: ${source} ${said}`);
Services.console.reset();
Services.holdup.length = 0;
return [...thrown, ...said];
