// Rows of lists that are pushed: they go where they belong, keep the focus, and make room for one another.
(() => {
  let focus = null; // the row that is about to be replaced with it, what in the row had it, and the rows around

  const focusable = (row) => [...row.querySelectorAll("a[href], button, summary")];

  function remember(row) {
    if (!row.contains(document.activeElement)) return;
    const around = [row.nextElementSibling, row.previousElementSibling].map((other) => other?.id);
    focus = { ids: [row.id, ...around], index: focusable(row).indexOf(document.activeElement) };
  }

  // As a reload would show the list: what rows that went had made room for is there, and the next page is right.
  let pushes = 0; // of rows and of whole lists; what is asked for meanwhile is too old
  let timer = 0;

  function later(wait = 1_000) {
    timer ||= setTimeout(fillUp, wait); // not put off by each push: a busy list is never quiet
  }

  async function fillUp() {
    timer = 0;
    if (document.querySelector('[data-name="pause"][aria-pressed="true"]')) return; // going on, it is asked again
    const before = pushes;
    const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    if (answer?.redirected) return; // who may no longer look is told by the socket
    const text = answer?.ok && (await answer.text().catch(() => ""));
    if (!text) return later(5_000);
    if (pushes !== before) return later();
    const page = document.getElementById("page");
    htmx.swap({ sourceElement: page, target: page, select: "#page", swap: "outerMorph ignoreTitle:true", text, transition: false });
  }

  document.addEventListener("htmx:before:ws:message", ({ detail: { message: { text, json } } }) => {
    if (!json && /#(row-|(older-)?payments")/.test(text)) pushes += 1;
  });

  let isWhole = false; // whether all of a list is about to be replaced

  document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
    isWhole = tasks.some(({ target, swapSpec }) => swapSpec?.style === "innerMorph" && target.matches("[data-most]"));
    for (const task of [...tasks]) {
      if (task.swapSpec?.style === "delete") remember(task.target);
      if (task.swapSpec?.style !== "upsert") continue;
      const row = task.fragment.firstElementChild;
      const shown = row?.id && document.getElementById(row.id);
      if (!shown) continue;
      remember(shown);
      // A push names the row, for pages whose list takes in nothing new, and the list: once is enough. And what
      // is there hx-upsert replaces in place, although it may belong elsewhere now.
      if (task.target !== shown) {
        if (row.dataset.placed !== shown.dataset.placed) shown.remove();
      } else if (tasks.some((other) => other.target === shown.parentElement)) tasks.splice(tasks.indexOf(task), 1);
    }
  });

  document.addEventListener("htmx:after:swap", () => {
    // Pushes may bring what a list had no room for: it shows the newest, as it would on a reload.
    for (const list of document.querySelectorAll("[data-most]")) {
      const rows = [...list.children].filter((row) => row.checkVisibility?.() ?? true);
      const most = Number(list.dataset.most);
      for (const row of rows.slice(most)) {
        remember(row);
        row.remove();
      }
      const next = document.querySelector('[rel="next"]');
      if (!next) continue;
      if (rows.length >= most) {
        const address = new URL(next.href);
        address.searchParams.set("after", rows[most - 1].dataset.cursor);
        next.href = address.search;
      }
      if (rows.length > most) next.hidden = false;
      else if (isWhole) next.hidden = rows.length < most;
      else if (rows.length < most && !next.hidden) later();
    }
    isWhole = false;
    const row = focus?.ids.map((id) => id && document.getElementById(id)).find(Boolean);
    if (row && document.activeElement === document.body) focusable(row).at(focus.index)?.focus({ preventScroll: true });
    focus = null;
  });
})();
