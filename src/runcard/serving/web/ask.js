// What the page knows of the model, and how it asks the service.
const model = JSON.parse(document.querySelector("#model").textContent);
const { rows, target } = model;
// Without the user and the token that may stand in the page's own address: no request may have them there.
const BASE = location.origin + location.pathname.replace(/[^/]*$/, "");

function add(parent, tag, text, cls) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (cls) node.className = cls;
  parent.append(node);
  return node;
}

// A fault that people are told of; mistakes are those of single fields.
class Trouble extends Error {
  constructor(message, mistakes = []) {
    super(message);
    this.mistakes = mistakes;
  }
}

function inWords(status, said) {
  if (status === 401) return "The service wants its token. Load the page again, and give the token as the password; any user name will do.";
  if (status === 413) return "That is too much at once: " + (said ?? "send less.");
  if ([408, 429, 503].includes(status)) return "The service is too busy: " + (said ?? "try again.");
  return said ?? "The service answered with status " + status + ", and not as it should.";
}

async function ask(path, body, kind = "application/json") {
  let response, text;
  try {
    response = await fetch(BASE + path, { method: "POST", headers: { "Content-Type": kind }, body });
    text = await response.text();
  } catch (error) {
    throw new Trouble("The service does not answer: " + error.message);
  }
  if (response.ok) return text;
  let said = {};
  try { said = JSON.parse(text); } catch { /* something between here and the service has answered */ }
  throw new Trouble(inWords(response.status, said.error), said.mistakes);
}

// Six digits that matter, and no more zeros than it takes.
const plain = number => String(Number(number.toPrecision(6)));
const percent = share => (100 * share).toFixed(1) + " %";
