// The form: what its fields hold, as JSON has it, and what is wrong with them.
const form = document.querySelector("form");
const inputs = [...form.querySelectorAll("[data-name]")];
let next = 0;

const another = input => input.parentElement.querySelector(".another");
const option = input => input.selectedOptions[0].dataset.is;

function value(input) {
  const kind = input.dataset.kind;
  if (kind === "image") return read(input);
  if (kind === "choice") return option(input) === "unknown" ? null : option(input) === "another" ? another(input).value.trim() || null : input.value;
  const text = input.value.trim();
  if (text === "") return null;
  if (kind === "list") try { return JSON.parse(text); } catch { return text; } // the service says what is wrong
  if (kind === "text") return input.value;
  if (kind === "boolean") return text === "true";
  if (kind === "category") return [...input.list.options].some(one => one.value === input.value) ? input.value : text;
  // 12,5 is a number to many; 12,500 may be two numbers, so the service is left to refuse it.
  const number = Number(/^[+-]?\d{1,3}(,\d{3})+$/.test(text) ? NaN : text.replace(",", "."));
  return Number.isFinite(number) ? number : text;
}
function put(input, given) {
  const kind = input.dataset.kind;
  if (kind === "image") return given === null ? blank(input) : show(input, given);
  if (kind !== "choice") return void (input.value = given === null ? "" : kind === "list" ? JSON.stringify(given) : String(given));
  const known = [...input.options].findIndex(one => !one.dataset.is && one.value === given);
  input.selectedIndex = given === null ? 0 : known < 0 ? input.options.length - 1 : known;
  another(input).value = given !== null && known < 0 ? given : "";
  another(input).hidden = option(input) !== "another";
}
function fill(row) {
  for (const input of inputs) {
    put(input, row ? row[input.dataset.name] : null);
    unmark(input);
  }
  for (const input of form.querySelectorAll("input[type=file]")) input.value = "";
  forget();
}

const beside = input => document.getElementById(input.id + "-wrong");
const shown = input => input.dataset.kind === "choice" && option(input) === "another" ? another(input) : input;
function unmark(input) {
  input.removeAttribute("aria-invalid");
  if (input.dataset.kind === "choice") another(input).removeAttribute("aria-invalid");
  beside(input).hidden = true;
  beside(input).textContent = "";
}
function mark(input, message) {
  shown(input).setAttribute("aria-invalid", "true");
  beside(input).hidden = false;
  beside(input).textContent = message;
}

for (const input of inputs.filter(one => one.dataset.kind === "choice"))
  input.addEventListener("change", () => {
    another(input).hidden = option(input) !== "another";
    if (!another(input).hidden) another(input).focus();
  });
document.querySelector("#example").addEventListener("click", () => fill(rows[next++ % rows.length]));
document.querySelector("#clear").addEventListener("click", () => fill(null));
