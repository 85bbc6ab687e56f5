-- The draw of a lottery: entries, numbered by arrival, get places by chance behind all numbers that were issued. Who calls these decides the order; each
-- may be repeated, and two callers may do so at once. Nobody joins meanwhile, because the mode is `drawing`; in any other mode nothing changes, so that
-- a caller who is late brings nobody back.

local function define_for_draws(name, body)
  define(name, function(P, args)
    local mode = call('HGET', P .. 'm', 'mode')
    if mode ~= 'drawing' then
      return { 'OLD', mode or 'none' }
    end
    return body(P, args)
  end)
end

-- entries: generation. The mode, the version of the settings, and for each lane the number after the last one.
define('entries', function(P, args)
  local m = call('HMGET', P .. 'm', 'mode', 'version', 's:1', 's:2', 's:3')
  return { 'OK', m[1] or 'none', number(m[2]), number(m[3]), number(m[4]), number(m[5]) }
end)

-- bits: generation lane chunk. Who waits, and who is gone.
define('bits', function(P, args)
  local at = args[2] .. ':' .. args[3]
  return { 'OK', call('GET', P .. 'a:' .. at) or '', call('GET', P .. 'g:' .. at) or '' }
end)

local function add_bits(P, key, bits)
  call('SET', P .. 'tmp', bits)
  call('BITOP', 'OR', key, key, P .. 'tmp')
  call('DEL', P .. 'tmp')
end

-- lay: generation lane chunk waiting gone. Adds people to a chunk; they count as heard from.
define_for_draws('lay', function(P, args)
  local lane, chunk = tonumber(args[2]), tonumber(args[3])
  local at = args[2] .. ':' .. args[3]
  add_bits(P, P .. 'a:' .. at, args[4])
  add_bits(P, P .. 'g:' .. at, args[5])
  add_bits(P, P .. 'b:' .. at .. ':' .. period_of(P, lane, chunk), args[4])
  changed(P, lane, chunk, call('BITCOUNT', P .. 'a:' .. at) - number(call('HGET', P .. 'n:' .. lane, chunk)))
  return { 'OK' }
end)

-- tags: generation, then buckets. What is known of the accounts in each.
define('tags', function(P, args)
  local found = { 'OK' }
  for i = 2, #args do
    found[i] = call('HGETALL', P .. 'd:' .. args[i])
  end
  return found
end)

-- move: generation, then for each: bucket tag old new. An account that still has the old place has the new one.
define_for_draws('move', function(P, args)
  for i = 2, #args, 4 do
    local key = P .. 'd:' .. args[i]
    if call('HGET', key, args[i + 1]) == args[i + 2] then
      call('HSET', key, args[i + 1], args[i + 3])
    end
  end
  return { 'OK' }
end)

-- drawn: generation, then for each lane: first place, the number after the last place, end of the reserved numbers; 0 0 0 for a lane without
-- entries. Entries are no places any more.
define_for_draws('drawn', function(P, args)
  for lane = 1, LANES do
    local first, next, reserved = tonumber(args[3 * lane - 1]), tonumber(args[3 * lane]), args[3 * lane + 1]
    if next > 0 and number(call('HGET', P .. 'm', 's:' .. lane)) < next then
      call('HSET', P .. 'm', 's:' .. lane, int(next), 'h:' .. lane, int(first), 'hw:' .. lane, reserved)
    end
    if next > 0 then
      call('HSET', P .. 'm', 'e:' .. lane, int(first))
    end
    for chunk = 0, first / CHUNK - 1 do
      local left = call('HGET', P .. 'n:' .. lane, chunk)
      if left then
        local at = lane .. ':' .. chunk
        call('DEL', P .. 'a:' .. at, P .. 'g:' .. at, P .. 'b:' .. at .. ':0', P .. 'b:' .. at .. ':1')
        changed(P, lane, chunk, 0 - tonumber(left))
      end
    end
  end
  return { 'OK' }
end)
