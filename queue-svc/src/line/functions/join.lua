local function waiting_in(P)
  local n = call('HMGET', P .. 'm', 'n:1', 'n:2', 'n:3')
  return number(n[1]) + number(n[2]) + number(n[3]) + call('ZCARD', P .. 'late')
end

-- A new number at the end of a lane, and a pass at once where a slot is free and nobody waits for it.
local function enter(P, item, settings, now, lanes, waiting_max)
  if settings.mode ~= 'open' and settings.mode ~= 'armed' and settings.mode ~= 'paused' then
    return { 'REFUSED', settings.mode }
  end
  local lane = item.lane
  local line = lanes[lane]
  if line.s >= line.hw then
    return { 'RESERVE', lane }
  end
  local waiting = waiting_in(P)
  if waiting >= waiting_max then
    return { 'FULL' }
  end
  local seq = line.s
  line.s = seq + 1
  call('HSET', P .. 'm', 's:' .. lane, int(line.s))
  call('HSET', P .. 'd:' .. item.bucket, item.tag, int(seq * 8 + lane))
  if settings.mode == 'open' and now >= settings.hold and waiting == 0 and call('ZCARD', P .. 'slots') < settings.cap then
    refill(settings, now)
    if settings.tok >= ADMISSION then
      settings.tok = settings.tok - ADMISSION
      keep_bucket(P, settings)
      call('HSET', P .. 'm', 'h:' .. lane, int(seq + 1))
      call('HINCRBY', P .. 'm', 'x:' .. lane, 1)
      local session = now + settings.session
      return told('ADMITTED', lane, seq, issue(P, member(lane, seq), 1, now, session, now, settings))
    end
  end
  stand(P, lane, seq)
  return told('WAITING', lane, seq)
end

-- Where the account of `tag` stands: state, lane, seq, slot. Who was gone is back.
local function known_place(P, tag, bucket, now)
  local known = call('HGET', P .. 'd:' .. bucket, tag)
  if not known then
    return false
  end
  known = tonumber(known)
  local lane = known % 8
  local seq = math.floor(known / 8)
  local what, held = standing(P, lane, seq, now)
  if what == 'GONE' or what == 'GRACE' then
    what = revive(P, lane, seq, what)
  end
  return what or 'ENDED', lane, seq, held
end

local function drop(P, lane, seq)
  local chunk = chunk_of(seq)
  local bit = seq % CHUNK
  if call('SETBIT', P .. 'a:' .. lane .. ':' .. chunk, bit, 0) == 1 then
    changed(P, lane, chunk, -1)
  end
end

-- Ends a place, whatever it is: an offer is free at once, a pass that is out keeps its slot to its end.
local function vacate(P, lane, seq)
  local name = member(lane, seq)
  drop(P, lane, seq)
  if call('GETBIT', P .. 'g:' .. lane .. ':' .. chunk_of(seq), seq % CHUNK) == 1 then
    call('SETBIT', P .. 'g:' .. lane .. ':' .. chunk_of(seq), seq % CHUNK, 0)
  end
  call('ZREM', P .. 'late', name)
  call('ZREM', P .. 'grace', name)
  local held = any_slot(P, name)
  if held and held.kind == 'o' then
    call('ZREM', P .. 'slots', name)
    call('HDEL', P .. 'info', name)
  elseif held and held.kind == 'p' then
    call('HSET', P .. 'info', name, pass_info('l', held.pass, held.exp, held.session, held.start))
  end
end

-- Whether an account joined anew after a loss, from another tab, and waits: the place of before is the better one.
local function is_newcomer(P, what, lane, seq, old_lane, old)
  local first = call('HMGET', P .. 'm', 's0:' .. lane, 's0:' .. old_lane)
  return what == 'WAITING' and seq >= number(first[1]) and old < number(first[2])
end

-- Takes back a place that a ticket proves and the line has forgotten, instead of the one that the account has by now, if it has one.
local function adopt(P, tag, bucket, lane, seq, other_lane, other)
  if other_lane then
    drop(P, other_lane, other)
  end
  call('HSET', P .. 'd:' .. bucket, tag, int(seq * 8 + lane))
  if seq >= number(call('HGET', P .. 'm', 'h:' .. lane)) then
    stand(P, lane, seq)
    return told('WAITING', lane, seq)
  end
  go_late(P, member(lane, seq))
  return told('LATE', lane, seq)
end

-- join: generation waiting_max, then for each: tag bucket lane adopt_lane adopt. adopt_lane 0: there is no ticket to go by; otherwise it is of an older
-- generation and was never turned into a pass.
define('join', function(P, args)
  local now = clock(P)
  local settings = settings_of(P)
  local lanes = {}
  for lane = 1, LANES do
    local m = call('HMGET', P .. 'm', 's:' .. lane, 'hw:' .. lane)
    lanes[lane] = { s = number(m[1]), hw = number(m[2]) }
  end
  local replies = {}
  for i = 3, #args, 5 do
    local adopt_lane = tonumber(args[i + 3])
    if adopt_lane > 0 and moved(P, adopt_lane, tonumber(args[i + 4])) then
      return not_heard(P)
    end
  end
  for i = 3, #args, 5 do
    local item = {
      tag = args[i], bucket = args[i + 1], lane = tonumber(args[i + 2]), adopt_lane = tonumber(args[i + 3]), adopt = tonumber(args[i + 4]),
    }
    local what, lane, seq, held = known_place(P, item.tag, item.bucket, now)
    local may_adopt = item.adopt_lane > 0 and settings.mode ~= 'closed' and item.adopt < lanes[math.max(item.adopt_lane, 1)].s
    local reply
    if may_adopt and (not what or is_newcomer(P, what, lane, seq, item.adopt_lane, item.adopt)) then
      reply = adopt(P, item.tag, item.bucket, item.adopt_lane, item.adopt, what and lane, seq)
    elseif what and what ~= 'ENDED' then
      reply = told(what, lane, seq, held)
    end
    replies[#replies + 1] = reply or enter(P, item, settings, now, lanes, tonumber(args[2]))
  end
  return { 'OK', int(now), replies }
end)

-- touch: generation, then for each: tag bucket lane seq adopt. Tells where a place stands; who was gone is back. With adopt 1 a place that
-- the line has forgotten is taken back, as in join.
define('touch', function(P, args)
  local now = clock(P)
  local closed = call('HGET', P .. 'm', 'mode') == 'closed'
  local replies = {}
  for i = 2, #args, 5 do
    if moved(P, tonumber(args[i + 2]), tonumber(args[i + 3])) then
      return not_heard(P)
    end
  end
  for i = 2, #args, 5 do
    local tag, bucket = args[i], args[i + 1]
    local lane, seq = tonumber(args[i + 2]), tonumber(args[i + 3])
    local what, at_lane, at, held = known_place(P, tag, bucket, now)
    if what and at_lane == lane and at == seq then
      replies[#replies + 1] = told(what, lane, seq, held)
    elseif args[i + 4] == '1' and not closed and seq < number(call('HGET', P .. 'm', 's:' .. lane))
      and (not what or is_newcomer(P, what, at_lane, at, lane, seq)) then
      replies[#replies + 1] = adopt(P, tag, bucket, lane, seq, what and at_lane, at)
    else
      replies[#replies + 1] = told(nil, lane, seq)
    end
  end
  return { 'OK', int(now), replies }
end)
