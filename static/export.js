// A long export tells how far it is, and can be cancelled. Without JavaScript the link is a plain download.
(() => {
  const link = document.querySelector("[data-export]");
  const panel = document.getElementById("export");
  if (!link || !panel) return;

  const bar = panel.querySelector("progress");
  const said = panel.querySelector(".export-rows");
  const cancel = panel.querySelector("button");
  const outcome = document.getElementById("export-outcome");
  const NOT_COMPLETE = "THIS FILE IS NOT COMPLETE"; // shop/dashboard/export.py
  const LINE_FEED = 10;
  let running = null;

  const number = (rows) => rows.toLocaleString(document.documentElement.lang);

  function show(rows, total) {
    if (total) Object.assign(bar, { max: total, value: Math.min(rows, total) });
    else bar.removeAttribute("value");
    said.textContent = total ? `${number(Math.min(rows, total))} of ${number(total)} rows` : `${number(rows)} rows`;
  }

  // A line feed within a value counts, too: for a bar that is good enough.
  function linesIn(bytes) {
    let lines = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) lines += 1;
    return lines;
  }

  async function read(response) {
    const total = Number(response.headers.get("X-Total-Rows"));
    const chunks = [];
    let lines = 0;
    let end = "";
    show(0, total);
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      lines += linesIn(value);
      end = (end + new TextDecoder().decode(value.slice(-200))).slice(-200);
      show(Math.max(lines - 1, 0), total); // the first line is the head
    }
    if (end.includes(NOT_COMPLETE)) throw new Error("The shop could not read on.");
    return { file: new Blob(chunks, { type: "text/csv" }), rows: lines - 1 };
  }

  function save(file, response) {
    const name = response.headers.get("Content-Disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "payments.csv";
    const to = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
    to.click();
    setTimeout(() => URL.revokeObjectURL(to.href), 60_000);
    return name;
  }

  async function fetchFile() {
    const response = await fetch(link.href, { signal: running.signal, cache: "no-store" });
    if (response.redirected) throw new Error("You are logged out: reload the page.");
    if (response.status === 403) throw new Error("Your account may not do that, or no longer.");
    if (!response.ok) throw new Error("The shop gave no good answer.");
    const { file, rows } = await read(response);
    return `${number(rows)} rows are in ${save(file, response)}.`;
  }

  async function run() {
    running = new AbortController();
    outcome.textContent = "";
    said.textContent = "Counting…";
    bar.removeAttribute("value");
    panel.hidden = false;
    cancel.focus();
    const words = await fetchFile().catch((error) => {
      if (error.name === "AbortError") return "Cancelled. Nothing was saved.";
      return `${error.name === "Error" ? error.message : "The connection broke."} Nothing was saved; try again.`;
    });
    const hadFocus = panel.contains(document.activeElement);
    running = null;
    panel.hidden = true;
    outcome.textContent = words;
    if (hadFocus) link.focus();
  }

  cancel.addEventListener("click", () => running?.abort());
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!running) run();
  });
})();
