// The tools of a dashboard's screen: buttons that stay pressed, and the whole screen for it. What a switch does is
// said where it is done, in answer to `dashboard:switch` {name, on}; these files come before this one.
(() => {
  const whole = document.querySelector("[data-whole-screen]");
  const root = document.documentElement;

  // Kept for this browser, or for this window's page alone. Storage may be forbidden: then nothing is kept.
  function kept({ dataset: { name, kept } }) {
    const [storage, key] = kept === "page" ? ["sessionStorage", `switch ${name} ${location.pathname}`] : ["localStorage", `switch ${name}`];
    return {
      read() { try { return window[storage].getItem(key) === "on"; } catch { return false; } },
      write(on) { try { window[storage].setItem(key, on ? "on" : "off"); } catch {} },
    };
  }

  function press(button, on) {
    button.ariaPressed = on;
    document.dispatchEvent(new CustomEvent("dashboard:switch", { detail: { name: button.dataset.name, on } }));
  }

  for (const button of document.querySelectorAll("[data-switch]")) {
    if (kept(button).read()) press(button, true);
    button.addEventListener("click", () => {
      const on = button.ariaPressed !== "true";
      kept(button).write(on);
      press(button, on);
    });
  }

  for (const tools of document.querySelectorAll(".tools[hidden]")) tools.hidden = false;
  if (!whole) return;

  // The style sheet leaves on a whole screen what can be read from the other side of the room.
  whole.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen().catch(() => {}); // refused: the page stays as it is
  });
  let lock = null;
  async function stayAwake() {
    await lock?.release();
    lock = null;
    if (!document.fullscreenElement || document.hidden) return;
    lock = await navigator.wakeLock?.request("screen").catch(() => null);
  }
  document.addEventListener("fullscreenchange", () => {
    whole.textContent = document.fullscreenElement ? whole.dataset.leave : whole.dataset.enter;
    stayAwake();
  });
  document.addEventListener("visibilitychange", stayAwake); // a lock ends where nobody looks
  whole.hidden = !document.fullscreenEnabled;
})();
