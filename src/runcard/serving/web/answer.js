// The answer to one row.
const MOST_BARS = 10;
const out = document.querySelector("#answer"), say = document.querySelector("#status");
let asked = 0; // an answer that comes after a later question is left aside

function forget() {
  asked++;
  out.replaceChildren();
  say.textContent = "";
}
function bar(parent, name, share) {
  const line = add(parent, "div", undefined, "bar");
  add(line, "span", name);
  add(add(line, "span", undefined, "track"), "i").style.width = 100 * share + "%";
  add(line, "b", percent(share));
}
function showShares(shares) {
  const sorted = Object.entries(shares).sort((one, other) => other[1] - one[1]), bars = add(out, "div", undefined, "bars");
  for (const [name, share] of sorted.slice(0, MOST_BARS)) bar(bars, name, share);
  if (sorted.length <= MOST_BARS) return;
  const more = add(out, "button", `Show the other ${sorted.length - MOST_BARS}`);
  more.type = "button";
  more.addEventListener("click", () => {
    for (const [name, share] of sorted.slice(MOST_BARS)) bar(bars, name, share);
    more.remove();
    bars.tabIndex = -1;
    bars.focus();
  });
}
function showNumber(number) {
  const place = target.high > target.low ? (number - target.low) / (target.high - target.low) : 0.5;
  add(add(out, "div", undefined, "scale"), "i").style.left = 100 * Math.min(1, Math.max(0, place)) + "%";
  const ends = add(out, "div", undefined, "ends quiet");
  for (const text of [plain(target.low), "seen in training", plain(target.high)]) add(ends, "span", text);
  if (place < 0 || place > 1) add(out, "p", "The answer lies outside what training has seen.", "warning");
}
function showAnswer(answer) {
  const line = target.name + ": " + ("class" in answer ? answer.class : plain(answer.value));
  add(out, "h2", line);
  if ("class" in answer) showShares(answer.probabilities); else showNumber(answer.value);
  for (const warning of answer.warnings) add(out, "p", warning, "warning");
  add(out, "p", "prediction " + answer.prediction_id, "quiet");
  const share = "class" in answer ? ", " + percent(answer.probabilities[answer.class]) : "";
  say.textContent = [line + share, ...answer.warnings].join("; ");
}
function showTrouble(trouble) {
  out.replaceChildren();
  if (!trouble.mistakes?.length) add(out, "p", trouble.message, "wrong");
  const named = [];
  for (const { field, message } of trouble.mistakes ?? []) {
    add(out, "p", (field === null ? "" : field + ": ") + message, "wrong");
    const input = inputs.find(one => one.dataset.name === field);
    if (input) { mark(input, message); named.push(input); }
  }
  say.textContent = out.textContent;
  if (named.length) shown(named[0]).focus();
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  for (const input of inputs) unmark(input);
  const mine = ++asked, body = JSON.stringify(Object.fromEntries(inputs.map(input => [input.dataset.name, value(input)])));
  try {
    const answer = JSON.parse(await ask("predict", body));
    if (mine !== asked) return;
    out.replaceChildren();
    showAnswer(answer);
    offerWhy(body, mine);
  } catch (trouble) {
    if (mine === asked) showTrouble(trouble);
  }
  out.scrollIntoView({ block: "nearest" });
});
