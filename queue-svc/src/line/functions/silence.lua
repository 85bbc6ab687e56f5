-- beat: generation lane chunk bits. Who is in them was heard from.
define('beat', function(P, args)
  local key = P .. 'b:' .. args[2] .. ':' .. args[3] .. ':' .. period_of(P, args[2], args[3])
  call('SET', P .. 'tmp', args[4])
  call('BITOP', 'OR', key, key, P .. 'tmp')
  call('DEL', P .. 'tmp')
  return { 'OK' }
end)

-- reap: generation lane chunk pause least slack pause_max. Ends the period of a chunk, if it is over: who was not heard from in it nor in the one before
-- is gone. `pause` is the longest that anybody of the chunk is told to stay silent from now on; nobody's period is shorter than what they
-- were told. Times in ms.
define('reap', function(P, args)
  local now = clock(P)
  local lane = args[2]
  local chunk = args[3]
  local pause = tonumber(args[4])
  local periods = P .. 'r:' .. lane
  local r = call('HGET', periods, chunk)
  local current, ends, before = 0, 0, pause
  if r then
    local c, e, p = string.match(r, '^(%d):(%d+):(%d+)$')
    current, ends, before = tonumber(c), tonumber(e), tonumber(p)
  end
  if now < ends then
    return { 'OK', 0 }
  end
  if now < number(call('HGET', P .. 'm', 'slow')) then
    pause = tonumber(args[7])
  end
  local longest = math.max(pause, before)
  local next_end = now + math.max(tonumber(args[5]), longest + tonumber(args[6]))
  local gone = 0
  -- The first time a chunk is looked at, or after a loss, nothing is known yet.
  if ends > 0 then
    local at = lane .. ':' .. chunk
    local heard = P .. 'tmp'
    call('BITOP', 'OR', heard, P .. 'b:' .. at .. ':0', P .. 'b:' .. at .. ':1')
    call('SETBIT', heard, CHUNK - 1, call('GETBIT', heard, CHUNK - 1))
    call('BITOP', 'NOT', heard, heard)
    call('BITOP', 'AND', heard, heard, P .. 'a:' .. at)
    gone = call('BITCOUNT', heard)
    if gone > 0 then
      call('BITOP', 'OR', P .. 'g:' .. at, P .. 'g:' .. at, heard)
      call('BITOP', 'XOR', P .. 'a:' .. at, P .. 'a:' .. at, heard)
      changed(P, tonumber(lane), chunk, -gone)
    end
    call('DEL', heard)
  end
  current = 1 - current
  call('DEL', P .. 'b:' .. lane .. ':' .. chunk .. ':' .. current)
  call('HSET', periods, chunk, current .. ':' .. int(next_end) .. ':' .. int(pause))
  return { 'OK', gone }
end)
