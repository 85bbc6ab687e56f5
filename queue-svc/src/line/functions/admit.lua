-- Takes back slots that are over. Who missed the turn or lost the way keeps it for a while. Answers how many slots, and how many offers of them.
local function purge(P, settings, now)
  local over = call('ZRANGEBYSCORE', P .. 'slots', '-inf', int(now), 'LIMIT', 0, PURGE_MAX)
  local missed = 0
  for _, name in ipairs(over) do
    local info = call('HGET', P .. 'info', name)
    local kind = string.sub(info, 1, 1)
    if kind == 'o' then
      missed = missed + 1
    end
    local session = tonumber(string.match(info, '^%a:%d+:%d+:(%d+)') or 0)
    if (kind == 'o' or (kind == 'p' and session > now)) and not call('ZSCORE', P .. 'late', name) then
      call('ZADD', P .. 'grace', int(now + settings.grace), name)
    end
    call('HDEL', P .. 'info', name)
    call('ZREM', P .. 'slots', name)
  end
  call('ZREMRANGEBYSCORE', P .. 'grace', '-inf', int(now))
  return #over, missed
end

-- The first who waits in a lane, or nil; moves the head up to them.
local function head_of(P, lane, line)
  local seq = line.h
  local walked = 0
  while seq < line.s and walked < WALK_MAX do
    local chunk = chunk_of(seq)
    if number(call('HGET', P .. 'n:' .. lane, chunk)) > 0 then
      local from = math.floor((seq % CHUNK) / 8)
      local bit = call('BITPOS', P .. 'a:' .. lane .. ':' .. chunk, 1, from)
      if bit >= 0 then
        line.h = chunk * CHUNK + bit
        return line.h
      end
    end
    seq = (chunk + 1) * CHUNK
    line.h = math.min(seq, line.s)
    walked = walked + 1
  end
  return nil
end

-- The lane whose turn it is: each has its weight added while somebody waits in it; the richest pays for all.
local function turn(lanes)
  local total = 0
  local best
  for lane = 1, LATE do
    local line = lanes[lane]
    if line.first then
      line.credit = line.credit + line.weight
      total = total + line.weight
      if not best or line.credit > lanes[best].credit then
        best = lane
      end
    end
  end
  if best then
    lanes[best].credit = lanes[best].credit - total
  end
  return best
end

-- admit: generation, at most. Offers slots to those whose turn it is. Who calls it and how often does not matter: rate and slots decide.
define('admit', function(P, args)
  local now = clock(P)
  local settings = settings_of(P)
  local purged, missed = purge(P, settings, now)
  local used = call('ZCARD', P .. 'slots')
  if (settings.mode ~= 'open' and settings.mode ~= 'drain') or now < settings.hold then
    return { 'OK', int(now), 0, used, purged, missed }
  end
  refill(settings, now)
  local grant = math.min(tonumber(args[2]), settings.cap - used, math.floor(settings.tok / ADMISSION))
  local lanes = {}
  local granted = 0
  if grant > 0 then
    for lane = 1, LATE do
      local m = call('HMGET', P .. 'm', 's:' .. lane, 'h:' .. lane, 'w:' .. lane, 'wc:' .. lane, 'n:' .. lane)
      lanes[lane] = { s = number(m[1]), h = number(m[2]), weight = number(m[3]), credit = number(m[4]), live = number(m[5]), taken = 0 }
      if lane == LATE then
        lanes[lane].first = call('ZRANGE', P .. 'late', 0, 0)[1]
      elseif lanes[lane].live > 0 then
        lanes[lane].first = head_of(P, lane, lanes[lane])
      end
    end
    while granted < grant do
      local lane = turn(lanes)
      if not lane then
        break
      end
      local line = lanes[lane]
      local name
      if lane == LATE then
        name = line.first
        call('ZREM', P .. 'late', name)
        line.first = call('ZRANGE', P .. 'late', 0, 0)[1]
      else
        local seq = line.first
        local chunk = chunk_of(seq)
        name = member(lane, seq)
        call('SETBIT', P .. 'a:' .. lane .. ':' .. chunk, seq % CHUNK, 0)
        changed(P, lane, chunk, -1)
        line.h = seq + 1
        line.first = head_of(P, lane, line)
      end
      call('ZADD', P .. 'slots', int(now + settings.offer), name)
      call('HSET', P .. 'info', name, 'o')
      line.taken = line.taken + 1
      granted = granted + 1
    end
    for lane = 1, LATE do
      local line = lanes[lane]
      if line.taken > 0 then
        call('HINCRBY', P .. 'm', 'x:' .. lane, line.taken)
      end
      -- A lane in which nobody waits saves nothing up.
      call('HSET', P .. 'm', 'wc:' .. lane, line.first and int(line.credit) or '0')
      if lane ~= LATE then
        call('HSET', P .. 'm', 'h:' .. lane, int(line.h))
      end
    end
  end
  settings.tok = settings.tok - granted * ADMISSION
  keep_bucket(P, settings)
  return { 'OK', int(now), granted, used + granted, purged, missed }
end)
