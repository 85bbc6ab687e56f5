// The way of one person: the line, the turn, the map, a hold. It shows what the API answers and promises nothing besides.

const STORE = "usher.page";
/** A pass lives 60 s from its renewal: two renewals may fail. */
const RENEW_MS = 20_000;
/** Pause between two looks at the map. */
const MAP_MS = 3_000;
/** Whoever is told to ask again so soon stands near enough to watch. */
const NEAR_MS = 16_000;
/** A stream speaks every 15 s; one that is silent for longer was lost without a word. */
const SILENCE_MS = 40_000;
/** No single call takes longer. */
const CALL_MS = 15_000;
const GRADES = 4;

const $ = (id) => document.getElementById(id);
const VIEWS = ["enter", "waiting", "inside", "over"];

// ---- what survives a reload of this tab ------------------------------------------------------------------------------------------

const memory = { show: "", token: "", ticket: "", shown: 0, ...stored() };

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

function remember(change) {
  Object.assign(memory, change);
  try {
    sessionStorage.setItem(STORE, JSON.stringify(memory));
  } catch {
    // Without a store a reload joins again, which answers the same place.
  }
}

/** Takes show and token out of #show=...&token=...: the address bar is no place for a token. */
function readLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (!link.has("show") && !link.has("token")) return;
  const [show, token] = [link.get("show") ?? memory.show, link.get("token") ?? memory.token];
  const same = show === memory.show && token === memory.token;
  remember(same ? {} : { show, token, ticket: "", shown: 0 });
  history.replaceState(null, "", location.pathname);
}

// ---- calls -----------------------------------------------------------------------------------------------------------------------

/** A refusal of the API, or of the network: then without a reason. */
class Refusal extends Error {
  constructor(error, status = "UNAVAILABLE") {
    super(error?.message ?? "no answer");
    const details = error?.details ?? [];
    this.status = error?.status ?? status;
    this.reason = details.find((detail) => detail.reason)?.reason ?? "";
    const retry = details.find((detail) => detail.retryDelay)?.retryDelay;
    this.retryMs = retry === undefined ? undefined : millis(retry);
  }

  /** Whether the same call may succeed later. */
  get passing() {
    const passing = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL"];
    return passing.includes(this.status) || this.reason === "REQUEST_IN_PROGRESS";
  }
}

/** The server's clock less ours, as of its last answer: ends are told in its time. */
let skew = 0;
const now = () => Date.now() + skew;

async function request(method, path, { body, pass, key, accept = "application/json", open = false, signal }) {
  const headers = { accept };
  if (!open) headers.authorization = `Bearer ${memory.token}`;
  if (pass) headers["usher-queue-pass"] = pass;
  if (key) headers["idempotency-key"] = key;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  } catch (cause) {
    throw new Refusal({ message: String(cause) });
  }
  const date = Date.parse(response.headers.get("date"));
  if (date) skew = date - Date.now();
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Refusal(answer.error, response.status < 500 ? "INVALID_ARGUMENT" : "UNAVAILABLE");
}

async function call(method, path, options = {}) {
  const given = options.signal ? [options.signal] : [];
  const response = await request(method, path, { ...options, signal: AbortSignal.any([...given, AbortSignal.timeout(CALL_MS)]) });
  return response.json().catch((cause) => {
    throw new Refusal({ message: String(cause) });
  });
}

const queue = (verb) => `/v1/shows/${encodeURIComponent(memory.show)}/queue:${verb}`;

async function step(verb, body, signal) {
  const key = verb === "poll" ? undefined : uuid();
  return noted((await call("POST", queue(verb), { body, key, signal })).place);
}

function noted(place) {
  if (place.ticket) remember({ ticket: place.ticket });
  return place;
}

/** Repeats what fails for now, and says so; throws what repeating does not mend. */
async function insist(attempt, signal) {
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await attempt();
      calm();
      return answer;
    } catch (error) {
      if (signal.aborted || !(error instanceof Refusal) || !error.passing) throw error;
      tell(PASSING[error.reason] ?? "No answer for now. Trying again.", true);
      const backoff = Math.min(1000 * 2 ** failures, 15_000) * (0.5 + Math.random());
      await pause(Math.max(error.retryMs ?? backoff, 250), signal);
    }
  }
}

const PASSING = {
  LINE_UNAVAILABLE: "The line does not answer for now; places are kept. Trying again.",
  OVERLOADED: "Too many people call at once. Trying again.",
  ROOM_FULL: "As many people wait as the room takes. Trying again.",
};

// ---- the line --------------------------------------------------------------------------------------------------------------------

let run = new AbortController();

/** Ends what runs and begins something else. */
function begin(work) {
  run.abort();
  run = new AbortController();
  const { signal } = run;
  work(signal).catch((error) => {
    if (!signal.aborted) refused(error);
  });
}

async function join(signal) {
  showNothing();
  const { ticket, shown } = memory;
  const body = ticket ? { ticket, shownPosition: shown } : {};
  await follow(await insist(() => step("join", body, signal), signal), signal);
}

/** Goes on where a ticket stands. */
async function resume(signal) {
  showNothing();
  if (memory.shown) $("position").textContent = memory.shown;
  await follow(undefined, signal);
}

async function follow(place, signal) {
  for (;;) {
    place = await wait(place, signal);
    const state = place.state.replace("PLACE_STATE_", "");
    if (state === "OFFERED" || state === "ADMITTED") {
      place = place.pass ? place : await claim(signal);
      if (place) return inside(place, signal);
    } else if (state === "NOT_YET_OPEN") {
      showClosedDoor(place);
      await pause(millis(place.pollAfter), signal);
      place = await insist(() => step("join", {}, signal), signal);
    } else if (state === "TAKEN_OVER") {
      return say("Followed elsewhere", "Another tab or device of your account follows the line now. Your place is kept.", "Follow it here", resume);
    } else {
      return over(...ENDS[state]);
    }
  }
}

const isDraw = (place) => place.state === "PLACE_STATE_ENTERED";
const waits = (place) => isDraw(place) || place.state === "PLACE_STATE_WAITING" || (place.state === "PLACE_STATE_SOLD_OUT" && Number(place.position) > 0);

/** Watches from near, polls from far, until the place is something else than a place in line. */
async function wait(place, signal) {
  let far = false;
  if (place) showPlace(place);
  while (!place || waits(place)) {
    if (far) {
      await pause(millis(place.pollAfter), signal);
      place = await insist(() => step("poll", standing(), signal), signal);
      showPlace(place);
      far = millis(place.pollAfter) > NEAR_MS;
    } else {
      const before = place;
      place = await insist(() => watch(before, signal), signal);
      far = true; // whoever still waits when a stream ends was told to poll
    }
  }
  return place;
}

const standing = () => ({ ticket: memory.ticket, shownPosition: memory.shown });

/** Shows every step of the place; answers the last one. */
async function watch(place, signal) {
  const lost = new AbortController();
  const query = new URLSearchParams(standing());
  let response;
  let timer = setTimeout(() => lost.abort(), SILENCE_MS);
  const either = AbortSignal.any([signal, lost.signal]);
  try {
    response = await request("GET", `${queue("watch")}?${query}`, { accept: "text/event-stream", signal: either });
    for await (const event of events(response.body, () => {
      clearTimeout(timer);
      timer = setTimeout(() => lost.abort(), SILENCE_MS);
    })) {
      if (event.name === "end") return place;
      if (event.name === "error") throw new Refusal(event.data.error);
      place = noted(event.data.place);
      calm();
      showPlace(place);
    }
  } catch (error) {
    // Where too many watch, the others poll.
    if (error.reason === "OVERLOADED" || error.reason === "RATE_LIMITED") return step("poll", standing(), signal);
    throw error instanceof Refusal ? error : new Refusal({ message: String(error) });
  } finally {
    clearTimeout(timer);
    lost.abort();
  }
  throw new Refusal({ message: "the stream broke off" });
}

/** Server-sent events of a body, as edge-proxy writes them: an optional event line, one data line. */
async function* events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("data")) yield { name: field("event") ?? "message", data: JSON.parse(field("data")) };
    }
  }
}

/** The place with its pass; nothing when the turn is over. */
async function claim(signal) {
  $("waiting-title").textContent = "It is your turn";
  document.title = "It is your turn";
  try {
    return await insist(() => step("claim", { ticket: memory.ticket }, signal), signal);
  } catch (error) {
    if (error.reason !== "NO_OFFER") throw error;
    return pause(1000, signal); // and look again where they stand
  }
}

function leave() {
  if (!confirm("Give up your place?")) return;
  begin(async (signal) => {
    await insist(() => step("leave", { ticket: memory.ticket }, signal), signal);
    over("You have left", "Places that are held for you stay held until they are given back or their time is up.", "Join again", join);
  });
}

// ---- inside ----------------------------------------------------------------------------------------------------------------------

let stay; // the place inside, with its pass
let house; // the pool that is shown
let holds = [];
let looks = 0; // an answer to an earlier look is old news

async function inside(place, signal) {
  stay = place;
  view("inside");
  $("inside-title").textContent = "You are in";
  const clock = setInterval(tick, 1000);
  signal.addEventListener("abort", () => clearInterval(clock));
  tick();
  await Promise.all([renew(signal), lookAtMap(signal)]);
}

async function renew(signal) {
  for (;;) {
    await pause(RENEW_MS, signal, true);
    stay = await insist(() => step("renew", { pass: stay.pass }, signal), signal);
    tick();
  }
}

async function lookAtMap(signal) {
  const path = `/v1/shows/${encodeURIComponent(memory.show)}/performances?pageSize=200`;
  const { performances = [] } = await insist(() => call("GET", path, { open: true, signal }), signal);
  const options = performances.map((performance) => new Option(new Date(performance.startTime).toLocaleString(), performance.poolId));
  $("performance").replaceChildren(...options);
  if (options.length === 0) return tell("This show has no performance yet.");
  for (;;) {
    await insist(() => refresh(signal), signal);
    await pause(MAP_MS, signal);
  }
}

async function refresh(signal) {
  const poolId = $("performance").value;
  const look = (looks += 1);
  const [units, { holds: all = [] }] = await Promise.all([
    unitsOf(poolId, signal),
    call("GET", "/v1/holds?state=HOLD_STATE_HELD&pageSize=200", { signal }),
  ]);
  if (look !== looks) return;
  holds = all.filter((hold) => hold.showIds.includes(memory.show));
  if (house?.poolId !== poolId) house = build(poolId, units);
  paint(units);
}

async function unitsOf(poolId, signal) {
  const units = [];
  for (let token = ""; ; ) {
    const path = `/v1/pools/${encodeURIComponent(poolId)}/units?${new URLSearchParams({ pageSize: 1000, pageToken: token })}`;
    const page = await call("GET", path, { open: true, signal });
    units.push(...(page.units ?? []));
    token = page.nextPageToken;
    if (!token) return units;
  }
}

/** Draws a pool once; later looks change states only, so that focus stays where it is. */
function build(poolId, units) {
  const grades = new Map(units.map((unit) => [unit.grade, unit.price]));
  const tiers = [...grades.keys()];
  $("legend").replaceChildren(...tiers.map((grade, tier) => item(seat("span", tier, "free"), ` ${grade} ${money(grades.get(grade))}`)));
  const map = { poolId, places: new Map(), chosen: new Map() };
  const zones = Map.groupBy(units, (unit) => unit.zone);
  $("map").replaceChildren(...[...zones].map(([name, members]) => zone(map, tiers, name, members)));
  const first = $("map").querySelector("button");
  if (first) first.tabIndex = 0;
  return map;
}

function zone(map, tiers, name, members) {
  const group = element("section", "zone");
  group.append(element("h3", "", name || "Seats"));
  const rows = Map.groupBy(members, (unit) => (unit.kind === "UNIT_KIND_AREA" ? `area ${unit.ord}` : unit.row));
  for (const [row, units] of rows) {
    const line = element("div", units[0].kind === "UNIT_KIND_AREA" ? "area row" : "row");
    if (units[0].kind !== "UNIT_KIND_AREA") line.append(element("span", "", row));
    for (const unit of units) line.append(...(unit.kind === "UNIT_KIND_AREA" ? area(map, unit) : [button(map, tiers, unit)]));
    group.append(line);
  }
  return group;
}

function button(map, tiers, unit) {
  const node = seat("button", tiers.indexOf(unit.grade) % GRADES, "free");
  node.type = "button";
  node.tabIndex = -1;
  node.textContent = unit.number;
  node.dataset.ord = unit.ord ?? 0;
  map.places.set(unit.ord, { unit, node });
  node.addEventListener("click", () => choose(unit.ord, map.chosen.has(unit.ord) ? 0 : 1));
  return node;
}

function area(map, unit) {
  const label = element("label", "", `${unit.number}, ${unit.grade}, ${money(unit.price)} `);
  const [left, input] = [element("span", "quiet"), element("input")];
  Object.assign(input, { type: "number", min: 0, value: 0, id: `area-${unit.ord}` });
  label.htmlFor = input.id;
  map.places.set(unit.ord, { unit, node: input, left });
  input.addEventListener("change", () => choose(unit.ord, Math.max(0, Math.floor(Number(input.value)) || 0)));
  return [label, input, left];
}

function choose(ord, quantity) {
  const { unit, node } = house.places.get(ord);
  if (quantity > 0 && node.getAttribute("aria-disabled") === "true") return;
  if (quantity > 0) house.chosen.set(ord, Math.min(quantity, unit.available));
  else house.chosen.delete(ord);
  tell("");
  paint();
}

const STATES = { free: "free", chosen: "chosen", mine: "held for you", held: "held, may come back", sold: "sold" };

function stateOf(unit, mine) {
  if (mine.has(unit.ord)) return "mine";
  if (unit.state === "UNIT_STATE_HELD_OUT") return "held";
  if (unit.state === "UNIT_STATE_SOLD_OUT") return "sold";
  return house.chosen.has(unit.ord) ? "chosen" : "free";
}

function paint(units = []) {
  for (const unit of units) house.places.get(unit.ord).unit = unit;
  const lines = holds.flatMap((hold) => hold.lines).filter((line) => line.poolId === house.poolId);
  const mine = new Set(lines.map((line) => line.ord));
  const lost = [];
  for (const [ord, { unit, node, left }] of house.places) {
    const state = stateOf(unit, left ? new Set() : mine);
    if (house.chosen.has(ord) && state !== "chosen") {
      house.chosen.delete(ord);
      if (state !== "mine") lost.push(nameOf(unit));
    }
    if (left) paintArea(unit, node, left);
    else paintSeat(unit, node, state);
  }
  if (lost.length > 0) tell(`Somebody else was faster: ${lost.join(", ")}.`);
  paintBasket();
  paintHolds();
}

function paintSeat(unit, node, state) {
  if (node.dataset.state === state && node.ariaLabel) return;
  node.dataset.state = state;
  node.ariaLabel = `${nameOf(unit)}, ${unit.grade}, ${money(unit.price)}${unit.accessible ? ", accessible" : ""}, ${STATES[state]}`;
  node.ariaPressed = String(state === "chosen");
  node.ariaDisabled = String(!["free", "chosen"].includes(state));
}

function paintArea(unit, node, left) {
  node.max = unit.available;
  node.ariaDisabled = String(unit.available === 0);
  if (document.activeElement !== node) node.value = house.chosen.get(unit.ord) ?? 0;
  left.textContent = unit.available > 0 ? `${unit.available} left` : STATES[unit.state === "UNIT_STATE_SOLD_OUT" ? "sold" : "held"];
}

function paintBasket() {
  const chosen = [...house.chosen].map(([ord, quantity]) => ({ unit: house.places.get(ord).unit, quantity }));
  const names = chosen.map(({ unit, quantity }) => (quantity > 1 ? `${quantity} × ${nameOf(unit)}` : nameOf(unit)));
  const sum = chosen.reduce((sum, { unit, quantity }) => sum + BigInt(unit.price.minorUnits) * BigInt(quantity), 0n);
  const text = names.length > 0 ? `${names.join(", ")}: ${money({ ...chosen[0].unit.price, minorUnits: sum })}` : "Nothing yet.";
  if ($("chosen").textContent !== text) $("chosen").textContent = text;
  $("hold").disabled = names.length === 0;
}

function paintHolds() {
  const cards = holds.map((hold) => {
    const card = element("section", "card hold");
    const give = element("button", "", "Give them back");
    give.addEventListener("click", () => giveBack(hold));
    const list = element("ul");
    list.append(...hold.lines.map((line) => item(lineName(line))));
    const left = element("p", "left", leftOf(hold));
    card.append(element("h2", "", `Held for you: ${money(hold.total)}`), list, left, give);
    card.dataset.hold = hold.holdId;
    return card;
  });
  const shown = [...$("holds").children].map((card) => card.dataset.hold);
  if (shown.join() !== holds.map((hold) => hold.holdId).join()) $("holds").replaceChildren(...cards);
}

/** The lines that were tried last with their request id: where the outcome is unknown, repeating it has one effect. */
let tried;

async function hold() {
  const lines = [...house.chosen].map(([ord, quantity]) => ({ poolId: house.poolId, ord, quantity }));
  const text = JSON.stringify(lines);
  if (tried?.text !== text) tried = { text, key: uuid() };
  const { signal } = run;
  $("hold").disabled = true;
  try {
    const answer = await call("POST", "/v1/holds", { body: { lines }, pass: stay.pass, key: tried.key, signal });
    tried = undefined;
    looks += 1;
    house.chosen.clear();
    holds = [...holds.filter((known) => known.holdId !== answer.hold.holdId), answer.hold];
    tell("These places are held for you. Booking and paying are not part of this page.");
  } catch (error) {
    if (signal.aborted) return;
    if (!error.passing) tried = undefined;
    tell(error.passing ? "No answer. Hold them again: it has one effect." : (HOLDS[error.reason] ?? `Not held: ${error.message}.`));
  }
  paint();
  await refresh(signal).catch(() => {}); // the next look tells
}

const HOLDS = {
  QUEUE_PASS_USED: "This place in line has had its hold and gets no other. Another one needs a new place in line.",
  UNITS_TAKEN: "Somebody else was faster. Nothing was held; choose others.",
  BUYER_CAP_REACHED: "That is more than one buyer may have of this show. Nothing was held.",
  QUEUE_PASS_REQUIRED: "The pass has ended. Nothing was held.",
  QUEUE_PASS_NOT_VALID: "The pass is not valid any more. Nothing was held.",
  SALE_NOT_OPEN: "The sale has not begun yet.",
  SALE_CLOSED: "The sale is over.",
  PERFORMANCE_STARTED: "This performance has begun.",
};

async function giveBack({ holdId }) {
  const { signal } = run;
  try {
    await insist(() => call("POST", `/v1/holds/${holdId}:release`, { body: {}, key: uuid(), signal }), signal);
    tell("These places were given back.");
    await refresh(signal);
  } catch (error) {
    if (!signal.aborted) tell(`Not given back: ${error.message}.`);
  }
}

// ---- what is shown ---------------------------------------------------------------------------------------------------------------

function view(name) {
  for (const id of VIEWS) $(id).hidden = id !== name;
}

let troubled = false;

/** `trouble`: what is told is over as soon as something answers. */
function tell(text, trouble = false) {
  troubled = trouble;
  if ($("notice").textContent === text) return;
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function calm() {
  if (troubled) tell("");
}

const ENDS = {
  ENDED: ["You are not in line any more", "You left, or your turn was used. Joining gives a new place.", "Join again", join],
  CLOSED: ["The waiting room is closed", "The sale of this room is over, or it takes nobody any more."],
  SOLD_OUT: ["Everything is sold", "Nobody joins the line now. If something is returned, it opens again.", "Ask again", join],
  GRADES_SOLD_OUT: ["What you want is sold", "Other places are left. You have no place in the line; joining gives one.", "Join for what is left", join],
  OVERLOADED: ["Too many people wait", "Far more people wait already than there is left for. You have no place; join again later.", "Try again", join],
};

/** The way ends here, and the place with it. */
function over(title, text, action = "", work = undefined) {
  remember({ ticket: "", shown: 0 });
  tell("");
  say(title, text, action, work);
  run.abort();
}

function say(title, text, action = "", work = undefined) {
  view("over");
  $("over-title").textContent = title;
  $("over-text").textContent = text;
  $("again").textContent = action;
  $("again").hidden = !action;
  $("again").onclick = () => begin(work);
  document.title = title;
  $("over-title").focus();
}

function refused(error) {
  const again = ["Join again", join];
  if (error.reason === "QUEUE_RESET") {
    remember({ ticket: "", shown: 0 });
    tell("The line was begun anew, and older places are void. You join it again.");
    return begin(join);
  }
  if (error.status === "UNAUTHENTICATED") return enter("The access token is not valid, or its time is up. Paste another one.");
  if (error.reason === "PASS_EXPIRED") return over("Your time inside is over", "Places that are held for you stay held until their own time is up.", ...again);
  if (error.reason === "ROOM_CLOSED") return over(...ENDS.CLOSED);
  if (error.reason === "ROOM_NOT_FOUND") return over("No waiting room", "This show has no waiting room: its sale is open to everybody, or there is no such show.");
  if (error.reason.startsWith("TICKET_")) return over("This place is not yours", "The ticket is not valid for this show and account.", ...again);
  say("That did not work", `${error.message}${error.reason ? ` (${error.reason})` : ""}`, "Try again", memory.ticket ? resume : join);
  return run.abort();
}

/** A place of which nothing is known yet. */
function showNothing() {
  view("waiting");
  $("waiting-title").textContent = "One moment";
  $("position").textContent = "…";
  for (const id of ["eta", "live", "remarks"]) $(id).textContent = "";
}

function showPlace(place) {
  if (!waits(place)) return;
  if (isDraw(place)) return showDraw(place);
  const position = Number(place.position);
  if (position > 0) remember({ shown: position });
  const late = place.lane === "LANE_LATE";
  view("waiting");
  $("waiting-title").textContent = late ? "Your turn came while you were away" : "You are in line";
  $("caption").textContent = late ? "Your position among those who come back" : "Your position";
  $("position").textContent = position > 0 ? position.toLocaleString() : "…";
  document.title = position > 0 ? `${position.toLocaleString()} in line` : "In line";
  $("eta").textContent = waitOf(place);
  // Counts are a moment older than places: one that contradicts the place is not told.
  $("live").textContent = Number(place.live) >= position ? `${Number(place.live).toLocaleString()} waiting in all` : "";
  showRemarks(place);
}

/** Lots decide when the room opens. */
function showDraw(place) {
  view("waiting");
  $("waiting-title").textContent = "You are in the draw";
  $("caption").textContent = "Your number in the draw";
  $("position").textContent = Number(place.entry).toLocaleString();
  document.title = "In the draw";
  $("eta").textContent = "Who comes first is decided by lot when the room opens. Keep the number: the rank can be computed from it after the draw.";
  $("live").textContent = "";
  showRemarks(place);
}

function showRemarks(place) {
  const remarks = [];
  if (place.paused) remarks.push("Admission is stopped for now; places are kept.");
  if (place.openTime) remarks.push(`Admission starts ${new Date(place.openTime).toLocaleString()}.`);
  if (place.unlikely) remarks.push("More people stand in front of you than what is left will serve, unless many give up.");
  if (place.soldOutGrades?.length && place.state !== "PLACE_STATE_SOLD_OUT") remarks.push(`Sold out: ${place.soldOutGrades.join(", ")}. Other places are left.`);
  if (place.state === "PLACE_STATE_SOLD_OUT") remarks.push("Everything is sold. You keep your place: what is returned is offered in order.");
  $("remarks").replaceChildren(...remarks.map((remark) => item(remark)));
}

function showClosedDoor(place) {
  const when = place.openTime ? `Admission starts ${new Date(place.openTime).toLocaleString()}.` : "It has not been said when admission starts.";
  say("Not open yet", `${when} Nobody has a place yet; this page joins as soon as the line takes people.`, "Try now", join);
}

function waitOf({ waitP50, waitP90, state }) {
  if (!waitP50 || !waitP90) return state === "PLACE_STATE_SOLD_OUT" ? "" : "Too little is known yet to say how long it takes.";
  const [half, most] = [span(waitP50), span(waitP90)];
  return half === most ? `About ${half}.` : `Expected wait: ${half} to ${most}. Half of those who stand here come in within ${half}, nine of ten within ${most}.`;
}

function tick() {
  const left = Date.parse(stay.passExpireTime) - now();
  const session = Date.parse(stay.sessionExpireTime) - now();
  const pass = left > 0 ? `Pass valid for ${clock(left)}, renewed while this page is open` : "The pass has ended";
  $("pass").textContent = `${pass}. Time inside: ${clock(session)} left.`;
  document.title = `${clock(session)} left`;
  for (const card of $("holds").children) {
    const known = holds.find((hold) => hold.holdId === card.dataset.hold);
    if (known) card.querySelector(".left").textContent = leftOf(known);
  }
}

const leftOf = (hold) => {
  const left = Date.parse(hold.expireTime) - now();
  return left > 0 ? `Kept for ${clock(left)}.` : "Its time is up.";
};

const nameOf = (unit) => [unit.zone, unit.row, unit.number].filter(Boolean).join(" ");
const lineName = (line) => {
  const unit = line.poolId === house?.poolId ? house.places.get(line.ord)?.unit : undefined;
  const name = unit ? nameOf(unit) : `place ${line.ord}`;
  return `${line.quantity > 1 ? `${line.quantity} × ` : ""}${name}, ${line.grade}`;
};

function seat(tag, tier, state) {
  const node = element(tag, "seat");
  Object.assign(node.dataset, { grade: tier, state });
  return node;
}

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function item(...content) {
  const node = element("li");
  node.append(...content);
  return node;
}

// ---- small things ----------------------------------------------------------------------------------------------------------------

/** "1.5s" in milliseconds. */
const millis = (duration) => Number.parseFloat(duration ?? "2s") * 1000;

function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function span(duration) {
  const seconds = Math.ceil(millis(duration) / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function money({ minorUnits, currency }) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(Number(minorUnits) / 10 ** digits);
}

/** Version 4. crypto.randomUUID is missing where a phone reaches a development machine without TLS. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Waits; `awake`: or until somebody looks at the page again, for browsers slow down what is hidden. */
function pause(ms, signal, awake = false) {
  const done = new AbortController();
  let timer;
  const waiting = new Promise((resolve, reject) => {
    const on = (target, event, work) => target.addEventListener(event, work, { signal: done.signal });
    timer = setTimeout(resolve, ms);
    if (signal.aborted) reject(signal.reason);
    on(signal, "abort", () => reject(signal.reason));
    if (awake) on(document, "visibilitychange", () => document.hidden || resolve());
  });
  return waiting.finally(() => {
    clearTimeout(timer);
    done.abort();
  });
}

// ---- the beginning ---------------------------------------------------------------------------------------------------------------

function enter(text = "") {
  view("enter");
  tell(text);
  $("show").value = memory.show;
  $("token").value = memory.token;
  $("access").open = !memory.show || !memory.token || text !== "";
}

async function tellTitle() {
  const path = `/v1/shows/${encodeURIComponent(memory.show)}`;
  const { show } = await call("GET", path, { open: true });
  $("title").textContent = show.title;
}

/** The arrow keys move between seats: one stop for the tab key, not hundreds. */
function move(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches("button.seat")) return;
  const vertical = event.key === "ArrowUp" || event.key === "ArrowDown";
  const row = event.target.parentElement;
  const seats = (line) => [...line.querySelectorAll("button.seat")];
  let next;
  if (vertical) {
    const rows = [...$("map").querySelectorAll(".row")].filter((line) => seats(line).length > 0);
    const other = rows[rows.indexOf(row) + step];
    next = other && seats(other)[Math.min(seats(row).indexOf(event.target), seats(other).length - 1)];
  } else {
    next = seats(row)[seats(row).indexOf(event.target) + step];
  }
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function start() {
  readLink();
  if (memory.show) tellTitle().catch(() => {}); // the line says what is wrong with the show
  if (memory.ticket) begin(resume);
  else {
    run.abort();
    enter();
  }
}

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const [show, token] = [$("show").value.trim(), $("token").value.trim()];
  if (!show || !token) return enter("A show and an access token are needed.");
  const same = show === memory.show && token === memory.token;
  remember(same ? {} : { show, token, ticket: "", shown: 0 });
  tell("");
  tellTitle().catch(() => {});
  begin(join);
});
$("leave").addEventListener("click", leave);
$("finish").addEventListener("click", leave);
$("hold").addEventListener("click", hold);
$("performance").addEventListener("change", () => refresh(run.signal).catch(() => {}));
$("map").addEventListener("keydown", move);
$("map").addEventListener("focusin", ({ target }) => {
  if (!target.matches("button.seat")) return;
  for (const stop of $("map").querySelectorAll('button[tabindex="0"]')) stop.tabIndex = -1;
  target.tabIndex = 0;
});
window.addEventListener("hashchange", start);
start();
