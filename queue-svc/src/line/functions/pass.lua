-- claim: generation, then for each: lane seq. Turns an offer into a pass; again, it tells the same pass. While the room recovers it stays an
-- offer.
define('claim', function(P, args)
  local now = clock(P)
  local settings = settings_of(P)
  local replies = {}
  for i = 2, #args, 2 do
    local lane = tonumber(args[i])
    local seq = tonumber(args[i + 1])
    local what, held = standing(P, lane, seq, now)
    if what == 'GONE' or what == 'GRACE' then
      -- Nothing to claim; join and touch bring them back.
      what = nil
    elseif what == 'OFFERED' then
      if settings.mode == 'closed' then
        what = nil
      elseif now < settings.hold then
        -- Which passes are out is not known yet. The offer waits.
        held.ends = math.max(held.ends, settings.hold + settings.offer)
        call('ZADD', P .. 'slots', int(held.ends), member(lane, seq))
      else
        what = 'ADMITTED'
        held = issue(P, member(lane, seq), 1, now, now + settings.session, now, settings)
      end
    end
    replies[#replies + 1] = told(what, lane, seq, held)
  end
  return { 'OK', int(now), replies }
end)

-- renew: generation, then for each: tag bucket lane seq pass exp session, the last three as the pass says them. While the room recovers a pass that is
-- valid brings its slot back.
define('renew', function(P, args)
  local now = clock(P)
  local settings = settings_of(P)
  local replies = {}
  for i = 2, #args, 7 do
    local lane = tonumber(args[i + 2])
    local seq = tonumber(args[i + 3])
    local pass = tonumber(args[i + 4])
    local exp = tonumber(args[i + 5])
    local session = tonumber(args[i + 6])
    local name = member(lane, seq)
    local held = slot(P, name, now)
    if now < settings.hold and exp > now and session > now and (not held or held.kind == 'o' or (held.kind == 'p' and held.pass < pass)) then
      -- Another tab may have joined anew meanwhile: one account, one place.
      local known = number(call('HGET', P .. 'd:' .. args[i + 1], args[i]))
      if known > 0 and known ~= seq * 8 + lane then
        vacate(P, known % 8, math.floor(known / 8))
      end
      call('HSET', P .. 'd:' .. args[i + 1], args[i], int(seq * 8 + lane))
      drop(P, lane, seq)
      call('SETBIT', P .. 'g:' .. lane .. ':' .. chunk_of(seq), seq % CHUNK, 0)
      call('ZREM', P .. 'grace', name)
      call('ZREM', P .. 'late', name)
      call('ZADD', P .. 'slots', int(exp + 2 * settings.skew), name)
      -- When it began is not known any more; not later than now.
      local start = math.min(now, session - settings.session)
      call('HSET', P .. 'info', name, pass_info('p', pass, exp, session, start))
      held = { kind = 'p', pass = pass, exp = exp, session = session, start = start, ends = exp + 2 * settings.skew }
    end
    if not held or held.kind ~= 'p' or now >= held.exp or held.session - now < 1000 or settings.mode == 'closed' then
      replies[#replies + 1] = told(nil, lane, seq)
    elseif held.exp - now > settings.pass * 0.9 or held.exp >= whole_seconds(held.session) then
      -- Asked again at once: the same pass.
      replies[#replies + 1] = told('ADMITTED', lane, seq, held)
    else
      replies[#replies + 1] = told('ADMITTED', lane, seq, issue(P, name, held.pass + 1, now, held.session, held.start, settings))
    end
  end
  return { 'OK', int(now), replies }
end)

-- leave: generation lane seq. An offer is free at once; a pass that is out keeps its slot to its end.
define('leave', function(P, args)
  local now = clock(P)
  local lane = tonumber(args[2])
  local seq = tonumber(args[3])
  if moved(P, lane, seq) then
    return not_heard(P)
  end
  vacate(P, lane, seq)
  return { 'OK', int(now) }
end)

-- depart: generation, then for each: tag bucket time. A session of the account that began by then is over: its pass is not renewed, and its slot is
-- free after the end of the pass.
define('depart', function(P, args)
  local settings = settings_of(P)
  for i = 2, #args, 3 do
    local known = call('HGET', P .. 'd:' .. args[i + 1], args[i])
    if known then
      known = tonumber(known)
      local lane = known % 8
      local seq = math.floor(known / 8)
      local held = any_slot(P, member(lane, seq))
      if held and held.kind == 'p' and held.start <= tonumber(args[i + 2]) + settings.skew then
        vacate(P, lane, seq)
      end
    end
  end
  return { 'OK' }
end)
