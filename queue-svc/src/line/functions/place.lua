-- The line of one room: every change of it is one of these functions, whole or not at all.
--
-- KEYS[1] is <prefix>m. Every other key has the same prefix, and with it the same hash tag. Lanes are 1 general, 2 presale, 3 access;
-- the late line has people of all of them. A place is (lane, seq); seq counts from 0 in its lane and is never issued twice in an epoch.
--
--   The newest epoch stands beside them, in <prefix without the epoch>epoch: nothing of an older one happens any more.
--
--   m           hash   fence, generation, settings, bucket, per lane: s next seq, hw end of the reserved numbers, h head, n live,
--                      x admitted so far, wc credit of the lane in the sharing out, e first place after a draw: below are entries
--   a:L:c       bits   waiting and there, of the numbers [c * 65536, (c + 1) * 65536) of lane L
--   g:L:c       bits   gone: silent for too long, may return
--   b:L:c:0|1   bits   heard from in this period and in the one before
--   n:L, v:L    hash   chunk -> how many wait in it; chunk -> its version, counted up by every change of a:L:c
--   r:L         hash   chunk -> "<current period>:<end of it>:<longest pause that was told in it>"
--   d:B         hash   tag of an account -> seq * 8 + lane; bucket B of many, small enough to stay packed
--   slots       zset   "L:seq" -> when the slot is free, ms
--   info        hash   "L:seq" -> what the slot is: "o" an offer, "p:<pass>:<exp>:<session end>:<session start>" a pass, "l:..." a pass that was left
--   late        zset   "L:seq" -> order of return
--   grace       zset   "L:seq" -> until when a turn that was missed is kept, ms
local CHUNK = 65536
local LANES = 3
local LATE = 4
-- What the bucket counts in: a rate a second earns this much of an admission each ms.
local ADMISSION = 1000
-- Expired slots taken back by one call: bounds its time. What is left counts as taken.
local PURGE_MAX = 200
-- Chunks that one search for a head walks over: bounds its time. The next call goes on.
local WALK_MAX = 64
-- How long after a cut of the rate periods are as long as the longest pause: two of the longest, ms.
local SLOW = 900000

local F = {}

-- A function, because redis.call does not exist yet while a library is loaded.
local function call(...)
  return redis.call(...)
end

local function prefix(keys)
  return string.sub(keys[1], 1, -2)
end

local function chunk_of(seq)
  return math.floor(seq / CHUNK)
end

local function member(lane, seq)
  return lane .. ':' .. string.format('%.0f', seq)
end

local function place(name)
  local lane, seq = string.match(name, '^(%d+):(%d+)$')
  return tonumber(lane), tonumber(seq)
end

local function number(value)
  return tonumber(value or 0)
end

local function int(value)
  return string.format('%.0f', value)
end

-- The key of the newest epoch of the room, and the epoch that P belongs to.
local function epoch_of(P)
  local room_prefix, epoch = string.match(P, '^(.*:)(%d+):$')
  return room_prefix .. 'epoch', tonumber(epoch)
end

-- Why nothing may change: this server is not the one the room was set up on, the room has a newer epoch, or the caller belongs to an older
-- generation.
local function refusal(P, generation)
  local newest, epoch = epoch_of(P)
  if number(call('GET', newest)) > epoch then
    return { 'FENCED', '0' }
  end
  local room = call('HMGET', P .. 'm', 'fence', 'gen')
  if not room[1] or room[1] ~= fence(P) then
    return { 'FENCED', room[2] or '0' }
  end
  if room[2] ~= generation then
    return { 'GENERATION', room[2] }
  end
  return nil
end

-- A function that changes nothing where the caller may not: its first argument is the generation that the caller knows.
local function define(name, body)
  F[name] = function(keys, args)
    local P = prefix(keys)
    return refusal(P, args[1]) or body(P, args)
  end
end

-- What of a slot is known, or nil when there is none. One that is over is known until it is taken back.
local function any_slot(P, name)
  local score = call('ZSCORE', P .. 'slots', name)
  if not score then
    return nil
  end
  local info = call('HGET', P .. 'info', name)
  if info == 'o' then
    return { kind = 'o', ends = tonumber(score) }
  end
  local kind, pass, exp, session, start = string.match(info, '^(%a):(%d+):(%d+):(%d+):(%d+)$')
  return {
    kind = kind, pass = tonumber(pass), exp = tonumber(exp), session = tonumber(session), start = tonumber(start), ends = tonumber(score),
  }
end

local function pass_info(kind, pass, exp, session, start)
  return kind .. ':' .. pass .. ':' .. int(exp) .. ':' .. int(session) .. ':' .. int(start)
end

-- Whether a number of a ticket is an entry of a draw that is under way or over: the caller has not heard of it, and what it would change is gone.
local function moved(P, lane, seq)
  local m = call('HMGET', P .. 'm', 'mode', 'e:' .. lane)
  return m[1] == 'drawing' or seq < number(m[2])
end

local function not_heard(P)
  return { 'GENERATION', call('HGET', P .. 'm', 'gen') }
end

local function slot(P, name, now)
  local found = any_slot(P, name)
  if found and found.ends > now then
    return found
  end
  return nil
end

local function period_of(P, lane, chunk)
  local r = call('HGET', P .. 'r:' .. lane, chunk)
  if not r then
    return 0
  end
  return tonumber(string.sub(r, 1, 1))
end

local function changed(P, lane, chunk, by)
  call('HINCRBY', P .. 'n:' .. lane, chunk, by)
  call('HINCRBY', P .. 'v:' .. lane, chunk, 1)
  call('HINCRBY', P .. 'm', 'n:' .. lane, by)
end

-- Puts somebody in line and notes that they were heard from.
local function stand(P, lane, seq)
  local chunk = chunk_of(seq)
  local bit = seq % CHUNK
  if call('SETBIT', P .. 'a:' .. lane .. ':' .. chunk, bit, 1) == 0 then
    changed(P, lane, chunk, 1)
  end
  call('SETBIT', P .. 'b:' .. lane .. ':' .. chunk .. ':' .. period_of(P, lane, chunk), bit, 1)
end

local function go_late(P, name)
  local order = call('HINCRBY', P .. 'm', 'late', 1)
  call('ZADD', P .. 'late', order, name)
end

-- Whether a place is waiting, gone, late, kept for a while, or in a slot; nil when it ended.
local function standing(P, lane, seq, now)
  local chunk = chunk_of(seq)
  local bit = seq % CHUNK
  if call('GETBIT', P .. 'a:' .. lane .. ':' .. chunk, bit) == 1 then
    return 'WAITING'
  end
  local name = member(lane, seq)
  local held = any_slot(P, name)
  if held then
    if held.kind == 'o' and now < held.ends then
      return 'OFFERED', held
    elseif held.kind == 'p' and now < held.exp then
      return 'ADMITTED', held
    end
    -- It is over and not taken back yet. Who missed the turn or was cut off in the middle comes back late; who left has no place.
    if held.kind == 'l' or (held.kind == 'p' and held.session <= now) then
      return nil
    end
    return call('ZSCORE', P .. 'late', name) and 'LATE' or 'GRACE'
  end
  if call('GETBIT', P .. 'g:' .. lane .. ':' .. chunk, bit) == 1 then
    return 'GONE'
  end
  if call('ZSCORE', P .. 'late', name) then
    return 'LATE'
  end
  local grace = call('ZSCORE', P .. 'grace', name)
  if grace and tonumber(grace) > now then
    return 'GRACE'
  end
  return nil
end

-- Brings back who was gone or missed the turn; answers what they are now.
local function revive(P, lane, seq, what)
  local name = member(lane, seq)
  if what == 'GONE' then
    call('SETBIT', P .. 'g:' .. lane .. ':' .. chunk_of(seq), seq % CHUNK, 0)
    if seq >= number(call('HGET', P .. 'm', 'h:' .. lane)) then
      stand(P, lane, seq)
      return 'WAITING'
    end
  elseif what == 'GRACE' then
    call('ZREM', P .. 'grace', name)
  end
  go_late(P, name)
  return 'LATE'
end

-- A reply about a place: state, lane, seq, and of a slot: its end or that of the pass, number of the pass, end of the session.
local function told(what, lane, seq, held)
  if what == 'OFFERED' then
    return { what, lane, int(seq), int(held.ends) }
  elseif what == 'ADMITTED' then
    return { what, lane, int(seq), int(held.exp), held.pass, int(held.session) }
  end
  return { what or 'ENDED', lane, int(seq) }
end

local function whole_seconds(ms)
  return math.floor(ms / 1000) * 1000
end

-- Gives the pass number `pass` to a place; its slot outlives it by twice the skew of clocks.
local function issue(P, name, pass, now, session, start, settings)
  local exp = whole_seconds(math.min(now + settings.pass, session))
  local ends = exp + 2 * settings.skew
  call('ZADD', P .. 'slots', int(ends), name)
  call('HSET', P .. 'info', name, pass_info('p', pass, exp, session, start))
  return { kind = 'p', pass = pass, exp = exp, session = session, start = start, ends = ends }
end

local function settings_of(P)
  local m = call('HMGET', P .. 'm', 'mode', 'cap', 'rate', 'burst', 'offer', 'pass', 'skew', 'session', 'grace', 'tok', 'tok_t', 'hold')
  return {
    mode = m[1] or 'none', cap = number(m[2]), rate = number(m[3]), burst = number(m[4]), offer = number(m[5]), pass = number(m[6]),
    skew = number(m[7]), session = number(m[8]), grace = number(m[9]), tok = number(m[10]), tok_t = number(m[11]), hold = number(m[12]),
  }
end

-- What the rate has earned, in thousandths of an admission.
local function refill(settings, now)
  local gained = math.max(now - settings.tok_t, 0) * settings.rate
  settings.tok = math.min(settings.burst * ADMISSION, settings.tok + gained)
  settings.tok_t = math.max(now, settings.tok_t)
end

local function keep_bucket(P, settings)
  call('HSET', P .. 'm', 'tok', int(settings.tok), 'tok_t', int(settings.tok_t))
end
