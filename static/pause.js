// Hold the screen still: what is pushed waits, the newest of each row and panel, until staff go on.
// Not the order beside the list: somebody acts there. Nor the alarm: it does not wait.
(() => {
  const MOST = 500; // that wait; for whom more came a new page is cheaper
  const waiting = new Map(); // id of what it replaces → the newest push: { id, text, element, isNew }
  const button = document.querySelector('[data-name="pause"]');
  if (!button) return;
  let paused = false;
  let missed = false; // more than we keep

  function read(text, element) {
    const [, id, list] = text.match(/^\s*<hx-partial hx-target="#([\w-]+)(?:, #([\w-]+))?"/) ?? [];
    const [, placed] = text.match(/ data-placed="([\d.]+)"/) ?? [];
    const shown = document.getElementById(list);
    return { id, text, element, isNew: Boolean(shown) && !document.getElementById(id) && hasRoom(shown, placed) };
  }

  const hasRoom = (list, placed) =>
    list.childElementCount < Number(list.dataset.most) || Number(placed) > Number(list.lastElementChild.dataset.placed);

  function hold(push) {
    waiting.delete(push.id); // the newest goes last
    waiting.set(push.id, push);
    if (waiting.size > MOST) miss(`over ${MOST}`);
    else say([...waiting.values()].filter(({ isNew }) => isNew).length);
  }

  function miss(number) {
    missed = true;
    waiting.clear();
    say(number);
  }

  function say(news) {
    button.textContent = paused ? `Paused${news ? ` · ${news} new` : ""}` : "Pause";
  }

  function goOn() {
    if (missed) return location.reload();
    const pushes = [...waiting.values()];
    waiting.clear();
    // As hx-ws does it.
    for (const { text, element } of pushes) {
      htmx.swap({ sourceElement: element, target: element, swap: "none", text, transition: false });
    }
  }

  document.addEventListener("dashboard:switch", ({ detail: { name, on } }) => {
    if (name !== "pause") return;
    paused = on;
    say(0);
    if (!paused) goOn();
  });

  document.addEventListener("htmx:before:ws:message", (event) => {
    const { text, json } = event.detail.message;
    if (!paused || json || event.defaultPrevented || event.target.closest("#detail")) return;
    const push = read(text, event.target);
    if (push.id === "alarm") return;
    event.preventDefault();
    if (!missed) hold(push);
  });

  // live.js would load the page anew, for more than it can be told.
  document.addEventListener("live:news", (event) => {
    if (!paused) return;
    event.preventDefault();
    miss("more");
  });
})();
