// Rows of lists that are pushed: they go where they belong, keep the focus, and make room for one another.
(() => {
  let focus = null; // the row that is about to be replaced with it, what in the row had it, and the rows around

  const focusable = (row) => [...row.querySelectorAll("a[href], button, summary")];

  function remember(row) {
    if (!row.contains(document.activeElement)) return;
    const around = [row.nextElementSibling, row.previousElementSibling].map((other) => other?.id);
    focus = { ids: [row.id, ...around], index: focusable(row).indexOf(document.activeElement) };
  }

  document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
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
      const cursor = rows.length > most && rows[most - 1].dataset.cursor;
      const next = cursor && document.querySelector('[rel="next"]');
      if (next) {
        const address = new URL(next.href);
        address.searchParams.set("after", cursor);
        next.href = address.search;
        next.hidden = false;
      }
    }
    const row = focus?.ids.map((id) => id && document.getElementById(id)).find(Boolean);
    if (row && document.activeElement === document.body) focusable(row).at(focus.index)?.focus({ preventScroll: true });
    focus = null;
  });
})();
