-- configure: version mode cap rate burst offer pass skew session grace w1 w2 w3 w4. Older versions than the stored one change nothing.
define('configure', function(P, args)
  local known = number(call('HGET', P .. 'm', 'version'))
  if tonumber(args[2]) <= known then
    return { 'OLD', int(known) }
  end
  local now = clock(P)
  local settings = settings_of(P)
  -- What was earned until now was earned at the old rate.
  refill(settings, now)
  settings.tok = math.min(settings.tok, tonumber(args[6]) * ADMISSION)
  keep_bucket(P, settings)
  -- People who were told to come back soon are told to come back later now.
  if tonumber(args[5]) < settings.rate then
    call('HSET', P .. 'm', 'slow', int(now + SLOW))
  end
  call('HSET', P .. 'm', 'version', args[2], 'mode', args[3], 'cap', args[4], 'rate', args[5], 'burst', args[6], 'offer', args[7],
    'pass', args[8], 'skew', args[9], 'session', args[10], 'grace', args[11], 'w:1', args[12], 'w:2', args[13], 'w:3', args[14], 'w:4', args[15])
  return { 'OK' }
end)

-- recover: generation hold_ms then for each lane the first number and the end of the reserved ones. The room belongs to this server from
-- now on; nobody is admitted until every pass that could be out has ended. Nothing of older epochs happens any more, whoever has not heard
-- of this one: their passes end before anybody is admitted here.
function F.recover(keys, args)
  local P = prefix(keys)
  local newest, epoch = epoch_of(P)
  if number(call('GET', newest)) > epoch then
    return { 'FENCED', '0' }
  end
  local room = call('HMGET', P .. 'm', 'fence', 'gen')
  if tonumber(args[1]) <= number(room[2]) then
    return { 'OLD', room[2] }
  end
  local now = clock(P)
  call('SET', newest, int(epoch))
  call('HSET', P .. 'm', 'fence', fence(P), 'gen', args[1], 'hold', int(now + tonumber(args[2])), 'tok', '0', 'tok_t', int(now), 'version', '0',
    'mode', 'none')
  for lane = 1, LANES do
    local first = args[1 + 2 * lane]
    call('HSET', P .. 'm', 's:' .. lane, first, 's0:' .. lane, first, 'hw:' .. lane, args[2 + 2 * lane])
    -- Who was heard from before the loss is not known: everybody gets a whole period to come back.
    local periods = call('HGETALL', P .. 'r:' .. lane)
    for i = 1, #periods, 2 do
      local current, _, pause = string.match(periods[i + 1], '^(%d):(%d+):(%d+)$')
      call('HSET', P .. 'r:' .. lane, periods[i], current .. ':0:' .. pause)
    end
  end
  return { 'OK', int(now) }
end

-- reserve: generation lane end. Numbers below it may be issued.
define('reserve', function(P, args)
  local field = 'hw:' .. args[2]
  if tonumber(args[3]) > number(call('HGET', P .. 'm', field)) then
    call('HSET', P .. 'm', field, args[3])
  end
  return { 'OK' }
end)
