-- Wrong codes, counted in windows that begin with the first one.
--
-- KEYS[1]: those of everybody. KEYS[2]: those of an account. Both have the same hash tag.
local F = {}

-- charge: most and window ms of everybody, then of an account. Counts one more and answers 0, or counts nothing and answers for how many ms
-- there is no room: an account that is refused costs the others nothing. O(1).
function F.charge(keys, args)
  local function full(key, most)
    return tonumber(redis.call('GET', key) or '0') >= tonumber(most)
  end
  local function add(key, window)
    redis.call('INCR', key)
    if redis.call('PTTL', key) < 0 then
      redis.call('PEXPIRE', key, window)
    end
  end
  if full(keys[2], args[3]) then
    return math.max(redis.call('PTTL', keys[2]), 1)
  end
  if full(keys[1], args[1]) then
    return math.max(redis.call('PTTL', keys[1]), 1)
  end
  add(keys[1], args[2])
  add(keys[2], args[4])
  return 0
end

-- refund: one less of each, unless its window is over. O(1).
function F.refund(keys)
  for _, key in ipairs(keys) do
    if tonumber(redis.call('GET', key) or '0') > 0 then
      redis.call('DECR', key)
    end
  end
  return 0
end
