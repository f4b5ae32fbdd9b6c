// Runs the link page's script on the little of a browser that it uses: node link.mjs page.html
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";

const page = readFileSync(process.argv[2], "utf8");
const script = page.match(/<script>([^]*)<\/script>/)[1];

// open loads the page with the fragment. answer is what fetch gives.
function open(hash, { languages = ["en-GB"], answer } = {}) {
  const elements = {}, listeners = {}, asked = [];
  for (const [, id] of page.matchAll(/ id="([a-z_-]+)"/g)) {
    elements[id] = {
      id, textContent: "", value: "", hidden: page.includes(`id="${id}" hidden`), children: [], disabled: false,
      replaceChildren(...children) { this.children = children; },
      focus() {},
      addEventListener(type, listener) { listeners[id + "." + type] = listener; },
    };
  }
  const location = { hash, pathname: "/link", search: "" };
  const window = {
    document: { documentElement: {}, getElementById: (id) => elements[id] ?? null, createElement: () => ({ textContent: "" }) },
    location, URLSearchParams, navigator: { languages },
    history: { replaceState(state, title, url) { location.shown = url; location.hash = ""; } },
    addEventListener(type, listener) { listeners[type] = listener; },
    fetch: async (url, options) => { asked.push({ url, ...options, body: JSON.parse(options.body) }); return answer(); },
  };
  runInNewContext(script, window);
  const press = async () => {
    let prevented = false;
    listeners["form.submit"]({ preventDefault() { prevented = true; } });
    assert.ok(prevented, "the browser would send the form itself");
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const told = () => elements.result.children.map((child) => child.textContent);
  return { elements, listeners, asked, location, window, press, told };
}

const done = { answer: () => ({ ok: true, status: 200 }) };
const shownFields = ({ elements }) => ["email", "password", "code", "recovery_code"].filter((name) => !elements["field-" + name].hidden);

// Each action asks for its fields and sends them to its route, once, and only when the button is pressed.
for (const [action, fields, url, values, body] of [
  ["confirm", ["password"], "signup/confirm", { password: "p" }, { token: "T-_1", password: "p" }],
  ["reset", ["password"], "password/reset", { password: "p w" }, { token: "T-_1", password: "p w" }],
  ["unlock", ["email", "password", "code", "recovery_code"], "login", { email: "a@b.example", password: "p", code: "123456" },
    { unlock: "T-_1", cookie: true, email: "a@b.example", password: "p", code: "123456" }],
  ["unlock", ["email", "password", "code", "recovery_code"], "login", { email: "a@b.example", password: "p", recovery_code: "aaaa" },
    { unlock: "T-_1", cookie: true, email: "a@b.example", password: "p", recovery_code: "aaaa" }],
  ["email", [], "account/email/confirm", {}, { token: "T-_1" }],
  ["invitation", ["password"], "invitations/accept", { password: "p" }, { token: "T-_1", password: "p" }],
  ["invitation", ["password"], "invitations/accept", {}, { token: "T-_1" }],
]) {
  const opened = open(`#action=${action}&token=T-_1&account=acct_1`, done);
  assert.equal(opened.location.shown, "/link", "the token is still in the address bar");
  assert.equal(opened.asked.length, 0, "something was sent before the button was pressed");
  assert.deepEqual(shownFields(opened), fields, action);
  assert.equal(opened.elements.form.hidden, false);
  for (const [name, value] of Object.entries(values)) opened.elements[name].value = value;
  await opened.press();
  assert.equal(opened.asked.length, 1);
  const [request] = opened.asked;
  assert.deepEqual([request.url, request.method, request.body], [url, "POST", body]);
  assert.deepEqual({ ...request.headers }, { "Content-Type": "application/json", "Accept-Language": "en", "X-Tokenim-Console": "1" });
  assert.ok(request.mode === undefined && request.redirect === "error" && !JSON.stringify(request.url).includes("T-_1"));
  assert.equal(opened.elements.form.hidden, true);
  assert.equal(opened.elements.password.value, "");
  assert.equal(opened.told().length, 1);
  assert.ok(!opened.elements.result.className);
}

// What cannot be a link offers nothing to press.
for (const hash of ["", "#", "#action=reset", "#token=T", "#action=constructor&token=T", "#action=__proto__&token=T", "#action=fields&token=T"]) {
  const opened = open(hash, done);
  assert.equal(opened.elements.form.hidden, true, hash);
  assert.equal(opened.elements.title.textContent, "This link is incomplete", hash);
}

// A refusal is shown in the server's words, as text, and the button works again.
{
  const problem = { detail: "<b>too short</b>", hint: "Longer.", errors: [{ detail: "<b>too short</b>" }, { detail: "second" }] };
  const opened = open("#action=reset&token=T", { answer: () => ({ ok: false, status: 422, json: async () => problem }) });
  opened.elements.password.value = "x";
  await opened.press();
  assert.deepEqual(opened.told(), ["<b>too short</b>", "second", "Longer."]);
  assert.equal(opened.elements.result.className, "bad");
  assert.equal(opened.elements.button.disabled, false);
  assert.equal(opened.elements.password.value, "x");
  await opened.press();
  assert.equal(opened.asked.length, 2);
  assert.equal(opened.asked[1].body.token, "T");
}

// Trouble on the way is told too.
for (const [answer, want] of [
  [() => { throw new TypeError("offline"); }, /cannot be reached/],
  [() => ({ ok: false, status: 502, json: async () => { throw new SyntaxError("no JSON"); } }), /502/],
  [() => ({ ok: false, status: 503, json: async () => ({ message: "Service Unavailable" }) }), /503/],
]) {
  const opened = open("#action=confirm&token=T", { answer });
  await opened.press();
  assert.match(opened.told()[0], want);
  assert.equal(opened.elements.button.disabled, false);
}

// A second press while the first is under way sends nothing.
{
  let finish;
  const opened = open("#action=confirm&token=T", { answer: () => new Promise((resolve) => { finish = resolve; }) });
  await opened.press();
  await opened.press();
  assert.equal(opened.asked.length, 1);
  finish({ ok: true, status: 200 });
}

// The reader's first language that the page speaks is used, and has every text that English has.
for (const [languages, tag, title] of [
  [["zh-CN", "en"], "zh-CN", "设置新密码"], [["zh-Hant-TW"], "zh-CN", "设置新密码"], [["fr", "zh"], "zh-CN", "设置新密码"],
  [["fr"], "en", "Choose a new password"], [["en-US", "zh"], "en", "Choose a new password"], [[], "en", "Choose a new password"],
]) {
  const opened = open("#action=reset&token=T", { ...done, languages });
  assert.equal(opened.window.document.documentElement.lang, tag);
  assert.equal(opened.elements.title.textContent, title);
}
for (const action of ["confirm", "reset", "unlock", "email", "invitation"]) {
  const opened = open(`#action=${action}&token=T`, { ...done, languages: ["zh"] });
  await opened.press();
  const texts = ["title", "about", "button"].map((id) => opened.elements[id].textContent).concat(opened.told(),
    ["email", "password", "code", "recovery_code", "show"].map((id) => opened.elements["label-" + id].textContent));
  for (const text of texts) assert.match(text, /\p{Script=Han}/u, action);
  assert.equal(opened.asked[0].headers["Accept-Language"], "zh");
}

// Another link in the same tab is read as well.
{
  const opened = open("#action=reset&token=T", done);
  opened.location.hash = "#action=email&token=U";
  opened.listeners.hashchange();
  await opened.press();
  assert.deepEqual([opened.asked[0].url, opened.asked[0].body], ["account/email/confirm", { token: "U" }]);
}

// The password can be looked at.
{
  const { elements, listeners } = open("#action=reset&token=T", done);
  elements.show.checked = true;
  listeners["show.change"]();
  assert.equal(elements.password.type, "text");
}
