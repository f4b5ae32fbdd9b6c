"use strict";
// The page behind the links in mails. Nothing happens before the button is pressed: programs that look into mails open
// links, and some run the page too.
(() => {
  const words = {
    en: {
      confirm: ["Confirm your e-mail address", "Your TokenIM login is made when you confirm the address, with the password that you chose at the sign-up.", "Confirm the address", "The address is confirmed. You can log in now."],
      reset: ["Choose a new password", "All sessions of your TokenIM login end when the password changes.", "Change the password", "The password is changed. You can log in with it now."],
      unlock: ["Log in", "Somebody else is guessing your password. With this link you can log in all the same.", "Log in", "You are logged in."],
      email: ["Confirm your new e-mail address", "From then on, you log in to TokenIM with the new address.", "Confirm the address", "The address is changed. Log in with the new one from now on."],
      invitation: ["Accept the invitation", "You become a member of the account that the mail names. If you have no TokenIM login yet, choose a password; else leave it empty.", "Accept", "You are a member of the account now. You can log in."],
      fields: { email: "E-mail address", password: "Password", newPassword: "New password", code: "Code of your second factor, if you use one", recovery_code: "Or a recovery code", show: "Show the password" },
      incomplete: ["This link is incomplete", "Open the whole link from the mail again, or copy it into the address bar. After a reload, too, the link has to be opened again."],
      unreachable: "The server cannot be reached. Check the connection and try again.",
      unexpected: "The server's answer makes no sense. Try again later. Status:",
    },
    zh: {
      confirm: ["确认邮箱地址", "请输入注册时设置的密码；确认邮箱后，将为您创建 TokenIM 登录账号。", "确认邮箱", "邮箱已确认，您现在可以登录。"],
      reset: ["设置新密码", "密码更改后，您的 TokenIM 登录账号的所有会话都会结束。", "更改密码", "密码已更改，您现在可以使用新密码登录。"],
      unlock: ["登录", "有人正在猜测您的密码。通过此链接，您仍可照常登录。", "登录", "您已登录。"],
      email: ["确认新邮箱地址", "确认后，请使用新邮箱登录 TokenIM。", "确认邮箱", "邮箱已更改，今后请使用新邮箱登录。"],
      invitation: ["接受邀请", "接受后，您将成为邮件中所述账户的成员。如果您还没有 TokenIM 登录账号，请设置密码；否则请留空。", "接受", "您已成为该账户的成员，现在可以登录。"],
      fields: { email: "邮箱地址", password: "密码", newPassword: "新密码", code: "多重身份验证的验证码（如已启用）", recovery_code: "或恢复代码", show: "显示密码" },
      incomplete: ["链接不完整", "请从邮件中重新打开完整链接，或将其复制到地址栏。刷新页面后也需要重新打开链接。"],
      unreachable: "无法连接服务器。请检查网络连接后重试。",
      unexpected: "服务器的响应无法识别，请稍后重试。状态码：",
    },
  };

  // What each action asks for, and where it is sent: relative to this page, whatever path the API lies at. A field with
  // true is required.
  const actions = {
    confirm: { route: "signup/confirm", fields: { password: true } },
    reset: { route: "password/reset", fields: { password: true }, newPassword: true },
    unlock: { route: "login", fields: { email: true, password: true, code: false, recovery_code: false }, tokenAs: "unlock", also: { cookie: true } },
    email: { route: "account/email/confirm", fields: {} },
    invitation: { route: "invitations/accept", fields: { password: false }, newPassword: true },
  };

  const $ = (id) => document.getElementById(id);
  const language = (navigator.languages || [navigator.language]).map((tag) => String(tag).slice(0, 2).toLowerCase())
    .find((tag) => Object.hasOwn(words, tag)) || "en";
  const say = words[language];
  let link = { action: "", token: "" };

  // read takes the link out of the address bar, so that it stays in no history and is not copied with the address.
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    link = { action: given.get("action") || "", token: given.get("token") || "" };
    show();
  }

  function show() {
    const known = Object.hasOwn(actions, link.action) && link.token !== "";
    const [title, about, button] = known ? say[link.action] : say.incomplete;
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    document.title = title + " · TokenIM";
    $("title").textContent = title;
    $("about").textContent = about;
    $("about").hidden = false;
    $("button").textContent = button || "";
    $("form").hidden = !known;
    tell([], false);
    if (known) showFields(actions[link.action]);
  }

  function showFields(action) {
    for (const name of ["email", "password", "code", "recovery_code"]) {
      $("field-" + name).hidden = !Object.hasOwn(action.fields, name);
      $(name).required = action.fields[name] === true;
      $(name).value = "";
      $("label-" + name).textContent = say.fields[name];
    }
    $("password").autocomplete = action.newPassword ? "new-password" : "current-password";
    if (action.newPassword) $("label-password").textContent = say.fields.newPassword;
    $("field-show").hidden = !Object.hasOwn(action.fields, "password");
    $("label-show").textContent = say.fields.show;
  }

  // tell shows lines of text, and moves the focus there, so that a screen reader says them.
  function tell(lines, bad) {
    const paragraphs = lines.filter(Boolean).map((line) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      return paragraph;
    });
    $("result").replaceChildren(...paragraphs);
    $("result").className = bad ? "bad" : "";
    if (lines.length > 0) $("result").focus();
  }

  function body(action) {
    const sent = { [action.tokenAs || "token"]: link.token, ...action.also };
    for (const name of Object.keys(action.fields)) {
      if ($(name).value !== "") sent[name] = $(name).value;
    }
    return sent;
  }

  // send does what the link is for. The mode stays fetch's own: in the mode "same-origin" and without a referrer, browsers
  // would call the origin "null", and the API takes requests of its own origin only.
  async function send(action) {
    const answer = await fetch(action.route, {
      method: "POST", redirect: "error", cache: "no-store", referrerPolicy: "same-origin",
      headers: { "Content-Type": "application/json", "Accept-Language": language, "X-Tokenim-Console": "1" },
      body: JSON.stringify(body(action)),
    });
    if (answer.ok) return [];
    const problem = await answer.json().catch(() => null);
    if (!problem || !problem.detail) return [say.unexpected + " " + answer.status];
    const fields = (problem.errors || []).map((field) => field.detail);
    return [...new Set([problem.detail, ...fields, problem.hint])];
  }

  async function press() {
    const { action } = link;
    $("button").disabled = true;
    const wrong = await send(actions[action]).catch(() => [say.unreachable]);
    $("button").disabled = false;
    if (wrong.length > 0) {
      tell(wrong, true);
      return;
    }
    link = { action: "", token: "" };
    for (const name of ["email", "password", "code", "recovery_code"]) $(name).value = "";
    $("form").hidden = true;
    $("about").hidden = true;
    tell([say[action][3]], false);
  }

  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!$("button").disabled) press();
  });
  $("show").addEventListener("change", () => { $("password").type = $("show").checked ? "text" : "password"; });
  // Another link that is pasted into the address bar of this page changes the fragment only.
  addEventListener("hashchange", () => { if (location.hash.length > 1) read(); });
  read();
})();
