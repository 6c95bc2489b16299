/* Carries what the server sends into the Dash components, and keeps watch: this script goes on when the server does not.
   It holds no words; they come from the catalogue through #wall[data-words]. */
(function () {
  "use strict";

  var RETRY_MS = 1000;        // a wall tries for ever: a server may be away for a night
  var RETRY_MOST_MS = 5000;
  var BAND_MS = 10000;        // platform reference 3.4: after 10 s the picture says that it is old
  var LOST_MS = 60000;        // after a minute nothing on it can be trusted
  var DEAF_MS = 5000;         // a line without a sign of life for so long is replaced
  var RELOAD_GAP_MS = 30000;  // never reload in a circle
  var PANEL_MS = 180000;      // a forgotten panel must not cover the wall
  var NIGHT_HOUR = 3;         // browsers grow over days: fresh page at night, and only while the server answers
  var NIGHT_UPTIME_MS = 12 * 3600 * 1000;

  var wall = null, words = null, catalogues = null, line = null;
  var heardAt = Date.now();   // browser time of the last message
  var openedAt = Date.now();
  var signal = null;          // {now, stale, speed} as of heardAt
  var retry = RETRY_MS, retryTimer = null, panelTimer = null;
  var everHeard = false;

  function language() {
    var asked = new URLSearchParams(window.location.search).get("lang");
    return asked === "en" ? "en" : "zh";
  }

  function say(key, values) {
    return words[key].replace(/\{(\w+)(?::[^}]*)?\}/g, function (all, name) {
      return values && name in values ? String(values[name]) : all;
    });
  }

  function pad(number) { return (number < 10 ? "0" : "") + number; }

  function span(ms) {
    var s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) { return say("span_seconds", {n: s}); }
    var m = Math.floor(s / 60);
    if (m < 60) { return say("span_minutes", {n: m}); }
    var h = Math.floor(m / 60);
    if (h < 2 && m % 60) { return say("span_hours_minutes", {h: h, m: m % 60}); }
    return h < 48 ? say("span_hours", {n: h}) : say("span_days", {n: Math.floor(h / 24)});
  }

  function age(ms) {
    var s = Math.max(0, Math.floor(ms / 1000));
    if (s < 3) { return say("age_now"); }
    if (s < 60) { return say("age_seconds", {n: s}); }
    if (s < 3600) { return say("age_minutes", {n: Math.floor(s / 60)}); }
    if (s < 172800) { return say("age_hours", {n: Math.floor(s / 3600)}); }
    return say("age_days", {n: Math.floor(s / 86400)});
  }

  var zoneParts = null;
  function zoned(ms) {
    if (!zoneParts) {
      zoneParts = new Intl.DateTimeFormat("en-GB", {
        timeZone: wall.dataset.zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
        hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short"
      });
    }
    var parts = {};
    zoneParts.formatToParts(new Date(ms)).forEach(function (part) { parts[part.type] = part.value; });
    return parts;
  }

  function clockText(ms) {
    var p = zoned(ms);
    return p.hour + ":" + p.minute + ":" + p.second;
  }

  function dateText(ms) {
    var p = zoned(ms), english = wall.lang === "en";
    var weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(p.weekday);
    return say("date", {
      y: p.year, m: english ? pad(+p.month) : +p.month, d: english ? pad(+p.day) : +p.day,
      weekday: say("weekday_" + weekday)
    });
  }

  function put(id, text) {
    var node = document.getElementById(id);
    if (node && node.textContent !== text) { node.textContent = text; }
  }

  function systemNow() { return signal ? signal.now + (Date.now() - heardAt) * signal.speed : null; }

  // -- every half second, whether or not the server lives ------------------------------------------------------------

  function tick() {
    if (!wall) { return; }
    var now = systemNow(), silence = Date.now() - heardAt;
    var stale = (signal ? signal.stale : 0) + silence;
    var state = "well";
    if (silence > LOST_MS) { state = "lost"; }
    else if (silence > BAND_MS) { state = "cut"; }
    else if (stale > BAND_MS && signal) { state = "stale"; }
    wall.classList.toggle("connecting", !everHeard && state === "well");
    ["well", "cut", "stale", "lost"].forEach(function (name) { wall.classList.toggle("is-" + name, name === state); });

    if (now !== null) {
      put("clock-time", clockText(now));
      put("clock-date", dateText(now));
      var brief = /dense|crowded/.test(document.getElementById("grid").className);
      document.querySelectorAll(".tile-age").forEach(function (node) {
        // Ages are real time: at a demo's speed of 60 a second is a minute of its day.
        var seen = node.dataset.seen, text = "";
        if (seen) { text = age((now - Number(seen)) / signal.speed); }
        if (text && !brief) { text = say("data_age", {age: text}); }
        if (node.textContent !== text) { node.textContent = text; }
      });
    }
    var alive = document.getElementById("alive");
    if (alive) {
      if (!everHeard) { put("alive", say("connecting")); }
      else { put("alive", say(state === "well" ? "alive" : "halted") + " · " + say("updated", {age: age(stale)})); }
    }
    var dataAt = now === null ? null : now - stale * signal.speed;
    var at = dataAt === null ? "--:--:--" : clockText(dataAt);
    if (state === "cut" || state === "lost") { put("band", say("band_link", {at: at, age: age(silence)})); }
    else if (state === "stale") { put("band", say("band_store", {at: at, age: age(stale)})); }
    else { put("band", ""); }
    drawLost(state === "lost", now === null ? "--:--:--" : clockText(now - silence * signal.speed), silence);
    if (silence > DEAF_MS && line && line.readyState === WebSocket.OPEN) { line.close(); }
    if (state === "well" && Date.now() - openedAt > NIGHT_UPTIME_MS && now !== null) {
      if (Number(zoned(now).hour) === NIGHT_HOUR) { reload("night"); }
    }
  }

  function drawLost(shown, at, silence) {
    var lost = document.getElementById("lost");
    if (!lost) { return; }
    if (!shown) { if (lost.childNodes.length) { lost.replaceChildren(); } return; }
    if (!lost.childNodes.length) {
      ["lost-mark", "lost-title", "lost-since", "lost-hint"].forEach(function (name) {
        var node = document.createElement("div");
        node.className = name;
        lost.appendChild(node);
      });
    }
    lost.children[1].textContent = say("lost_title");
    lost.children[2].textContent = say("lost_since", {at: at, span: span(silence)});
    lost.children[3].textContent = say("lost_hint");
  }

  // -- the line ------------------------------------------------------------------------------------------------------

  function connect() {
    retryTimer = null;
    if (line && (line.readyState === WebSocket.OPEN || line.readyState === WebSocket.CONNECTING)) { return; }
    var scheme = window.location.protocol === "https:" ? "wss://" : "ws://";
    var mine = new WebSocket(scheme + window.location.host + wall.dataset.line + "?lang=" + language());
    line = mine;
    mine.onmessage = function (event) { if (mine === line) { hear(JSON.parse(event.data)); } };
    mine.onclose = function () { if (mine === line) { again(); } };
  }

  function again() {
    if (retryTimer !== null) { return; }
    retryTimer = window.setTimeout(connect, retry);
    retry = Math.min(retry * 1.5, RETRY_MOST_MS);
  }

  function hear(message) {
    heardAt = Date.now();
    signal = {now: message.now, stale: message.stale, speed: message.speed};
    everHeard = true;
    retry = RETRY_MS;
    if (message.build !== wall.dataset.build) { reload("build " + message.build); return; }
    Object.keys(message.set).forEach(function (id) { window.dash_clientside.set_props(id, message.set[id]); });
    if (message.set.name && message.set.name.title) { document.title = message.set.name.title; }
    // After Dash has drawn, so that ages and clock never flash empty.
    window.requestAnimationFrame(tick);
  }

  function reload(why) {
    var last = 0;
    try { last = Number(window.sessionStorage.getItem("mingjing-reload") || 0); } catch (ignored) { /* private mode */ }
    if (Date.now() - last < RELOAD_GAP_MS) { return; }
    try { window.sessionStorage.setItem("mingjing-reload", String(Date.now())); } catch (ignored) { return; }
    window.console.info("wall reloads: " + why);
    window.location.reload();
  }

  // -- a tile or a finding is picked ---------------------------------------------------------------------------------

  function pick(node) {
    window.dash_clientside.set_props("picked", {data: {
      window: node.dataset.window || null, finding: node.dataset.finding || null, lang: language(), at: Date.now()
    }});
    window.clearTimeout(panelTimer);
    panelTimer = window.setTimeout(unpick, PANEL_MS);
  }

  function unpick() {
    window.clearTimeout(panelTimer);
    window.dash_clientside.set_props("picked", {data: null});
  }

  function onPick(event) {
    if (event.type === "keydown" && event.key === "Escape") { unpick(); return; }
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") { return; }
    if (event.target.closest(".panel-close")) { unpick(); return; }
    var node = event.target.closest(".finding, .tile");
    if (node && (node.dataset.finding || node.dataset.window)) { event.preventDefault(); pick(node); }
    else if (event.type === "click" && !event.target.closest(".panel, a")) { unpick(); }
  }

  function begin() {
    wall = document.getElementById("wall");
    if (!wall || !window.dash_clientside || !window.dash_clientside.set_props) {
      window.setTimeout(begin, 50);
      return;
    }
    catalogues = JSON.parse(wall.dataset.words);
    words = catalogues[language()];
    wall.lang = language();
    document.documentElement.lang = words.html_lang;
    heardAt = openedAt = Date.now();
    var up = document.getElementById("up");
    if (up) { up.href += window.location.search; }  // keeps the language
    document.addEventListener("click", onPick);
    document.addEventListener("keydown", onPick);
    document.addEventListener("visibilitychange", function () {
      if (!document.hidden) { tick(); if (retryTimer !== null) { window.clearTimeout(retryTimer); connect(); } }
    });
    window.addEventListener("online", function () { if (retryTimer !== null) { window.clearTimeout(retryTimer); connect(); } });
    window.setInterval(tick, 500);
    connect();
    tick();
  }

  begin();
})();
