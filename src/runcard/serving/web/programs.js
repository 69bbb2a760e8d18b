// What to paste to ask by program: with this service's own address, and a row that it knows.
const LARGE = 8000; // characters that nobody wants to paste
const NOTE = "only needed if the service has a token";

const quoted = text => "'" + text.replaceAll("'", "'\\''") + "'";

function curl({ path, kind, body, file }) {
  const end = file ? ` --data-binary @${file}` : ` --data-binary @- <<'END'\n${body.replace(/\n$/, "")}\nEND`;
  const lines = [`curl -sS ${quoted(BASE + path)}`, `  -H 'Content-Type: ${kind}'`, `  -H "Authorization: Bearer $RUNCARD_TOKEN"`];
  return lines.join(" \\\n") + " \\\n " + end + "\n";
}
// JSON is Python but for three words.
function python(given) {
  if (given === null) return "None";
  if (given === true || given === false) return given ? "True" : "False";
  if (Array.isArray(given)) return `[${given.map(python).join(", ")}]`;
  if (typeof given === "object") return `{${Object.entries(given).map(([name, one]) => `${JSON.stringify(name)}: ${python(one)}`).join(", ")}}`;
  return JSON.stringify(given);
}
function script({ path, kind, made, data, read }) {
  const uses = [made, data, read].some(text => text.includes("json."));
  return `${uses ? "import json\n" : ""}import os
import urllib.request

${made}
request = urllib.request.Request(
    ${JSON.stringify(BASE + path)},
    data=${data},
    headers={
        "Content-Type": "${kind}",
        "Authorization": "Bearer " + os.environ.get("RUNCARD_TOKEN", ""),  # ${NOTE}
    },
)
with urllib.request.urlopen(request) as response:
${read}
`;
}
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // only pages by HTTPS, or of this machine, have a clipboard
    const area = add(document.body, "textarea", text);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  document.querySelector("#api-status").textContent = "Copied";
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}
function block(parent, id, title, text) {
  const code = add(parent, "div", undefined, "code"), head = add(code, "h4"), pre = add(code, "pre");
  add(head, "span", title);
  const button = add(head, "button", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy: ${title}`);
  button.addEventListener("click", () => copy(button, text));
  pre.tabIndex = 0;
  add(pre, "code", text).id = id;
}
function example(id, title, about, asked) {
  const parent = add(document.querySelector("#examples"), "section");
  add(parent, "h3", title);
  add(parent, "p", about, "quiet");
  block(parent, id + "-curl", "curl", curl(asked));
  block(parent, id + "-python", "Python", script(asked));
}

// What is sent as JSON under a name; if it is long, out of a file that the page gives.
function sending(name, given) {
  const body = JSON.stringify(given), asked = { kind: "application/json", body, data: `json.dumps(${name}).encode()` };
  if (body.length <= LARGE) return { ...asked, made: `${name} = ${python(given)}` };
  const file = name + ".json", line = add(document.querySelector("#examples"), "p", undefined, "buttons");
  const link = add(line, "a", "Save " + file, "button");
  link.download = file;
  save(link, body);
  add(line, "span", "It is long, so the examples below read it from this file.", "quiet");
  return { ...asked, file, made: `with open("${file}") as file:\n    ${name} = json.load(file)` };
}

function examples(row) {
  const json = sending("row", row);
  const answer = target.classes.length ? 'answer["class"], answer["probabilities"]' : 'answer["value"]';
  const shown = `    answer = json.load(response)\nprint(${answer}, answer["warnings"])`;
  example("predict", "Answer a row", "An unknown value is sent as null. Of a list of rows a list of answers comes back.", { ...json, path: "predict", read: shown });
  if (model.images) columnsExample(row);
  else csvExample();
  const why = '    answer = json.load(response)\nfor field in answer["fields"]:\n    print(field["field"], field["effect"])';
  example("explain", "Explain an answer", "The effect of each field, the largest first; of images, lists and texts also that of their parts.", { ...json, path: "explain", read: why });
}
function csvExample() {
  const few = csvOf(rows.slice(0, 3)), long = few.length > LARGE, body = long ? csvOf(rows.slice(0, 1)) : few;
  const made = `rows = ${JSON.stringify(body)}  # or open("rows.csv").read()`;
  const asked = { path: "predict/batch", kind: "text/csv", body, made, data: "rows.encode()", read: "    print(response.read().decode())" };
  example("batch", "Answer a table", "A CSV comes back, a line for each row, in their order. To send a file: --data-binary @rows.csv", asked);
}
function columnsExample(row) {
  const columns = Object.fromEntries(Object.entries(row).map(([name, given]) => [name, [given]]));
  const read = `    answer = json.load(response)\nprint(answer[${target.classes.length ? '"class"' : '"value"'}], answer["warnings"])`;
  const asked = { ...sending("columns", columns), path: "predict/batch", read };
  example("batch", "Answer many", "Columns: of each field the list of its values, here of one row.", asked);
}

examples(rows[0]);
fill(rows[next++]);
