"use strict";

// Everything here is comfort: the page works the same without it.
const number = document.getElementById("cardNumber");
const expiry = document.getElementById("cardExpiry");
const form = document.getElementById("payment-form");

function rewrite(input, format) {
  input.addEventListener("input", (event) => {
    // Only while typing at the end: a caret in the middle must stay where it is.
    if (input.selectionStart !== input.value.length || event.inputType?.startsWith("delete")) return;
    input.value = format(input.value.replace(/\D/g, ""));
  });
}

if (number) {
  rewrite(number, (digits) => digits.slice(0, 19).replace(/(.{4})(?=.)/g, "$1 "));
  rewrite(expiry, (digits) => {
    const padded = /^[2-9]/.test(digits) ? "0" + digits : digits;
    return padded.length < 2 ? padded : padded.slice(0, 2) + " / " + padded.slice(2, 4);
  });
}

if (form) {
  const fill = document.getElementById("fill");
  fill.addEventListener("click", (event) => {
    // Without a round trip the page stays one that the browser's Back button can show again.
    event.preventDefault();
    for (const [name, value] of Object.entries(JSON.parse(fill.dataset.values))) {
      const input = document.getElementById(name);
      if (input && (/^(card|iban)/.test(name) || !input.value)) input.value = value;
    }
    document.getElementById("pay").focus();
  });
  form.addEventListener("submit", () => {
    const pay = document.getElementById("pay");
    pay.disabled = true;
    pay.setAttribute("aria-busy", "true");
    pay.querySelector("span").textContent = pay.dataset.busy;
    document.getElementById("progress").textContent = "Processing your payment";
  });
  // A page that comes back from the browser's history must be usable again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
}

for (const picture of document.querySelectorAll(".picture img")) {
  const hide = () => picture.remove();
  if (picture.complete && picture.naturalWidth === 0) hide();
  picture.addEventListener("error", hide);
}
