'use strict';

// What is shown comes from requests and answers: it is always set as text, never as HTML.

const KEPT = 200;
const rows = document.getElementById('rows'), details = document.getElementById('details'), state = document.getElementById('state');
const known = new Map(); // id: {row, summary}
let run = '', chosen = 0, fetching = false, stale = false;

function make(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

const ms = (x) => (x < 0.1 ? x.toFixed(3) : x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : Math.round(x).toLocaleString('en')) + ' ms';
const bytes = (n) => n.toLocaleString('en') + (n === 1 ? ' byte' : ' bytes');
const count = (n, what) => n + ' ' + what + (Number(n) === 1 ? '' : 's');
const units = (x) => String(Math.round(x * 1000) / 1000);

function clock(at) {
  const t = new Date(at);
  return t.toTimeString().slice(0, 8) + '.' + String(t.getMilliseconds()).padStart(3, '0');
}

// JSON indented as it was written: numbers keep their digits, members their order.
function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let out = '', depth = 0, before = '';
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || []) {
    const closes = token === '}' || token === ']';
    if (closes) depth--;
    const opened = before === '{' || before === '[';
    if ((closes && !opened) || (!closes && opened) || before === ',') out += '\n' + '  '.repeat(depth);
    out += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
    before = token;
  }
  return out;
}

function outcome(s) {
  if (s.outcome === 'running') return ['running', 'running'];
  const word = s.failed ? (s.status ? s.status + ' ' : '') + s.outcome : String(s.status || s.outcome);
  return [word, s.failed || s.status >= 500 ? 'bad' : s.status >= 400 ? 'odd' : 'good'];
}

function brief(s) {
  if (s.problem) return s.problem;
  if (s.streamed) return bytes(s.answer_bytes) + ' streamed';
  return s.brief || '';
}

// ── the list ──

function fill(row, s) {
  const [word, look] = outcome(s), cell = (className, text) => row.appendChild(make('td', className, text));
  row.replaceChildren();
  cell('time', clock(s.began_at_ms));
  cell('', s.function);
  const open = cell('request').appendChild(make('button', '', s.title));
  open.type = 'button';
  open.title = s.title;
  open.setAttribute('aria-controls', 'details');
  open.setAttribute('aria-expanded', String(s.id === chosen));
  open.addEventListener('click', () => choose(s.id));
  const how = cell('outcome ' + look, word);
  if (s.init_ms !== undefined) how.appendChild(make('span', 'cold', 'cold ' + ms(s.init_ms)));
  cell('number', s.duration_ms === undefined ? '' : ms(s.duration_ms));
  cell('number', s.store && s.store.requests ? String(s.store.requests) : '');
  cell('answer', brief(s));
}

function forget(id) {
  known.get(id).row.remove();
  known.delete(id);
}

function take(s) {
  let one = known.get(s.id);
  if (!one) {
    one = {row: make('tr')};
    one.row.dataset.id = s.id;
    // newest first: changes come in the order they happened, so it belongs at the top or near it
    let at = rows.firstElementChild;
    while (at && Number(at.dataset.id) > s.id) at = at.nextElementSibling;
    rows.insertBefore(one.row, at);
    known.set(s.id, one);
  }
  one.summary = s;
  const hadFocus = one.row.contains(document.activeElement);
  fill(one.row, s);
  one.row.classList.toggle('chosen', s.id === chosen);
  if (hadFocus) one.row.querySelector('button').focus();
  while (rows.children.length > KEPT) forget(Number(rows.lastElementChild.dataset.id));
  document.getElementById('none').hidden = true;
  if (s.id === chosen) show();
}

function mark(id, on) {
  const one = known.get(id);
  if (!one) return;
  one.row.classList.toggle('chosen', on);
  one.row.querySelector('button').setAttribute('aria-expanded', String(on));
}

function choose(id) {
  mark(chosen, false);
  chosen = id;
  mark(chosen, true);
  show();
}

function close() {
  const one = known.get(chosen);
  mark(chosen, false);
  chosen = 0;
  details.hidden = true;
  if (one) one.row.querySelector('button').focus();
}

// ── one of them ──

function section(title, text, cutOf) {
  if (!text) return;
  details.appendChild(make('h3', '', cutOf ? `${title} (cut: it has ${bytes(cutOf)})` : title));
  const pre = details.appendChild(make('pre', title.toLowerCase(), text));
  pre.tabIndex = 0;
  pre.setAttribute('aria-label', title);
}

// The body of an HTTP answer, where it is JSON in a string; of a streamed one what follows the 8 NUL bytes.
function parts(d) {
  const nuls = d.streamed ? d.answer.indexOf('\0'.repeat(8)) : -1;
  if (nuls >= 0) return [d.answer.slice(0, nuls), pretty(d.answer.slice(nuls + 8))];
  try {
    const body = JSON.parse(d.answer).body;
    return [d.answer, typeof body === 'string' && pretty(body) !== body ? pretty(body) : ''];
  } catch {
    return [d.answer, ''];
  }
}

function storeTable(store) { // a function that used none says 0
  if (!store.requests && !store.calls) return;
  const parts = [count(store.requests, 'request'), ms(store.ms), count(units(store.read_units), 'read unit'), count(units(store.write_units), 'write unit')];
  if (store.throttled) parts.push(store.throttled + ' throttled');
  details.appendChild(make('h3', '', 'Store'));
  details.appendChild(make('p', 'facts store', parts.join(', ')));
  if (!store.calls) return;
  const table = details.appendChild(make('table', 'calls'));
  const head = table.appendChild(make('thead')).appendChild(make('tr'));
  for (const [name, look] of [['Operation', ''], ['Outcome', ''], ['Tries', 'number'], ['Time', 'number'], ['Units', 'number']]) {
    head.appendChild(make('th', look, name)).scope = 'col';
  }
  const body = table.appendChild(make('tbody'));
  for (const call of store.calls) {
    const row = body.appendChild(make('tr'));
    row.appendChild(make('td', '', call.operation));
    row.appendChild(make('td', '', call.outcome));
    row.appendChild(make('td', 'number', String(call.requests)));
    row.appendChild(make('td', 'number', ms(call.ms)));
    row.appendChild(make('td', 'number', units(call.read_units + call.write_units)));
  }
  if (store.calls_left_out) details.appendChild(make('p', 'facts', `and ${store.calls_left_out} more`));
}

function facts(d) {
  const [word] = outcome(d), list = [d.function, word];
  if (d.duration_ms !== undefined) list.push(ms(d.duration_ms));
  if (d.init_ms !== undefined) list.push(`cold start ${ms(d.init_ms)}`);
  if (d.streamed) list.push(`${bytes(d.answer_bytes)} streamed`);
  if (d.request_id) list.push(d.request_id);
  return list.join(' · ');
}

function head(d) {
  const bar = make('div', 'head'), again = make('button', 'again', 'Play again'), shut = make('button', 'close', 'Close');
  bar.appendChild(make('h2', '', d.title));
  again.type = shut.type = 'button';
  again.addEventListener('click', () => playAgain(d.id, again));
  shut.addEventListener('click', close);
  bar.append(again, shut);
  return bar;
}

function draw(d) {
  const focus = details.contains(document.activeElement) ? document.activeElement.className : '';
  const logs = details.querySelector('pre.log'), scrolled = logs ? logs.scrollTop : 0;
  details.replaceChildren(head(d), make('p', 'facts', facts(d)));
  if (d.problem) details.appendChild(make('p', 'bad', d.problem));
  if (d.note) details.appendChild(make('p', 'odd', d.note));
  const [answer, body] = parts(d);
  section('Answer', pretty(answer), d.answer_cut_of);
  section('Body', body);
  if (d.store) storeTable(d.store);
  section('Log', d.log);
  section('Event', pretty(d.event), d.event_cut_of);
  details.hidden = false;
  if (focus) (details.querySelector('.' + focus.split(' ')[0]) || details).focus();
  if (scrolled) details.querySelector('pre.log').scrollTop = scrolled;
}

function gone(text) {
  details.replaceChildren(make('p', 'facts', text));
  details.hidden = false;
}

async function show() {
  if (fetching) {
    stale = true;
    return;
  }
  fetching = true;
  do {
    stale = false;
    const id = chosen;
    try {
      const answer = await fetch('/_latch/invocations/' + id);
      const whole = answer.ok ? await answer.json() : null;
      if (id !== chosen) stale = chosen !== 0;
      else if (whole) draw(whole);
      else gone('This invocation is not kept any more.');
    } catch {
      if (id === chosen) gone('latch-local does not answer.');
    }
  } while (stale);
  fetching = false;
}

async function playAgain(id, button) {
  button.disabled = true;
  try {
    const answer = await fetch('/_latch/again/' + id, {method: 'POST'});
    if (answer.ok) choose((await answer.json()).id);
    else gone(await answer.text());
  } catch {
    gone('latch-local does not answer.');
  }
}

// ── what comes ──

function say(look, text) {
  state.className = look;
  state.textContent = text;
}

const events = new EventSource('/_latch/events');
events.addEventListener('open', () => say('live', 'live'));
events.addEventListener('error', () => {
  say('lost', 'latch-local does not answer: trying again…');
  if (events.readyState === EventSource.CLOSED) say('lost', 'latch-local refused: reload the page');
});
events.addEventListener('run', (e) => {
  if (run && run !== e.data) {
    for (const id of [...known.keys()]) forget(id);
    chosen = 0;
    details.hidden = true;
    document.getElementById('none').hidden = false;
  }
  run = e.data;
});
events.addEventListener('message', (e) => take(JSON.parse(e.data)));
addEventListener('keydown', (e) => {
  if (e.key === 'Escape' && chosen) close();
});
